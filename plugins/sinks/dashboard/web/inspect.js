// For tests and curious people: window.evpipe.view is what is on the screen, as plain arrays.

export function inspect(page) {
  window.evpipe = {
    get page() {
      return page;
    },
    get view() {
      const { view, loading } = page.feed;
      const { frame, following } = page.range;
      const { census } = view;
      return {
        program: page.program?.id ?? null, connection: page.connection, following, loading: loading !== null,
        from: frame.from, to: frame.to, step: view.step, first: view.first, last: view.last, redraws: page.redraws, breaks: view.breaks,
        heap: { time: [...view.heap.time()], size: [...view.heap.cell(0)], live: [...view.heap.cell(1)], blocks: [...view.heap.cell(2)] },
        allocated: { time: [...view.allocated.time()], bytes: [...view.allocated.cell(0)] },
        pauses: view.pauses.map(({ generation, columns }) => ({ generation, time: [...columns.time()], longest: [...columns.cell(0)], collections: [...columns.cell(1)], seconds: [...columns.cell(2)] })),
        events: { time: [...view.events.time()], classes: Object.fromEntries(view.classes.map((name, which) => [name, [...view.events.cell(which)]])) },
        census: { breakdown: census.breakdown, time: [...census.columns.time()], total: [...census.total()], hidden: census.hidden,
                  bands: census.bands.map((band) => ({ id: band.id, name: band.name, values: [...census.values(band)] })) },
        logs: view.logs.length,
      };
    },
  };
}
