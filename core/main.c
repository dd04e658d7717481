#include "config/pipeline.h"
#include "engine/engine.h"
#include <string.h>

int main(int argc, char **argv)
{
  const char *file = argc > 2 && !strcmp(argv[1], "-c") ? argv[2] : NULL;
  if (!file) return 2;
  struct pipeline *pipeline = pipeline_load(file, NULL, NULL);
  return pipeline ? engine_run(pipeline, (struct diagnostics *)pipeline) : 2;
}
