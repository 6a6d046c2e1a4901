// A library of classes: hearth worker --plugin example_plugin.so
#include "hearth/object/plugin.h"

#include "examples/objects/counter.h"

HEARTH_PLUGIN(registry) {
  registry.Add<Counter>();
  return absl::OkStatus();
}
