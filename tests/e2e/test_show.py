#!/usr/bin/env python3
"""The recipe `show` prints what `ghc-events show` prints, byte for byte."""
import os
import subprocess

import harness

RECIPE = harness.SOURCE / "config" / "show.yaml"


class Show(harness.Case):
    def show(self, log, **more):
        return self.run_evpipe(RECIPE, environment={"EVENTLOG": str(log)}, seconds=120, **more)

    def test_every_reference(self):
        references = sorted(harness.EVENTLOGS.glob("**/*.reference"))
        if not references:
            harness.skip(f"no references at {harness.EVENTLOGS}")
        for reference in references:
            with self.subTest(reference.name):
                status, out, err = self.show(reference.with_suffix(""))
                self.assertEqual(out, reference.read_bytes())
                self.assertEqual(status, 0, err)

    def test_standard_input(self):
        log = harness.eventlog("unicode.eventlog")
        with open(log, "rb") as data:
            status, out, err = self.show("-", stdin=data)
        self.assertEqual((status, out), (0, log.with_suffix(".eventlog.reference").read_bytes()), err)

    def test_fifo_and_pipe_are_shown_in_exact_order_too(self):
        log = harness.eventlog("sleep.hm.eventlog")
        wanted = log.with_suffix(".eventlog.reference").read_bytes()
        fifo = self.folder / "fifo"
        os.mkfifo(fifo)
        shown = self.evpipe(RECIPE, environment={"EVENTLOG": str(fifo)})
        self.start(["cp", log, fifo], "writer")
        self.assertEqual((shown.wait(), shown.out()), (0, wanted), shown.err())
        piped = subprocess.Popen(["cat", log], stdout=subprocess.PIPE)
        self.addCleanup(piped.wait)
        self.addCleanup(piped.stdout.close)
        status, out, err = self.show("-", stdin=piped.stdout, name="piped")
        self.assertEqual((status, out), (0, wanted), err)

    def test_says_what_is_missing(self):
        os.environ.pop("EVENTLOG", None)
        status, out, err = self.run_evpipe(RECIPE)
        self.assertEqual((status, out), (2, b""), err)
        self.assertIn("EVENTLOG=program.eventlog", err)


if __name__ == "__main__":
    harness.main()
