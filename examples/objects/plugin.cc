// A library of classes: hearth worker --plugin example_plugin.so
#include "examples/objects/counter.h"
#include "hearth/object/plugin.h"

HEARTH_PLUGIN(registry) {
  registry.Add<Counter>();
  return absl::OkStatus();
}
