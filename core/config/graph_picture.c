/* The pipeline as a picture: names and signals, and nothing of the options, so no secret either. */
#include "config/edges.h"
#include "config/pipeline.h"

static const char *shape(enum evp_kind kind)
{
  return kind == EVP_SOURCE ? "cds" : kind == EVP_FILTER ? "box" : "note";
}

static void print_signals(uint32_t signals, FILE *file)
{
  const char *between = "";
  for (uint32_t bit = 1; bit <= EVP_LOGS; bit <<= 1) {
    if (!(signals & bit)) continue;
    fprintf(file, "%s%s", between, evp_signal_name(bit));
    between = ", ";
  }
}

void pipeline_print_graph(const struct pipeline *pipeline, FILE *file)
{
  fputs("digraph pipeline {\n  rankdir=LR;\n  node [fontname=\"sans-serif\"];\n", file);
  for (uint32_t i = 0; i < pipeline->n_nodes; i++) {
    const struct pipeline_node *node = &pipeline->nodes[i];
    fprintf(file, "  \"%s\" [shape=%s, label=\"%s\\n(%s)\"];\n", node->name, shape(node->kind), node->name,
      node->plugin->name);
  }
  for (uint32_t i = 0; i < pipeline->n_nodes; i++)
    for (uint32_t k = 0; k < pipeline->nodes[i].n_edges; k++) {
      const struct pipeline_edge *edge = &pipeline->nodes[i].edges[k];
      fprintf(file, "  \"%s\" -> \"%s\" [label=\"", pipeline->nodes[edge->from].name, pipeline->nodes[i].name);
      print_signals(edge->signals, file);
      fputs("\"];\n", file);
    }
  fputs("}\n", file);
}
