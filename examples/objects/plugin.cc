// A library of classes: hearth worker --plugin example_plugin.so
#include "hearth/object/plugin.h"

#include "examples/objects/counter.h"
#include "examples/objects/sums.h"

HEARTH_PLUGIN(registry) {
  registry.Add<Counter>();
  registry.Add<Sums>();
  return absl::OkStatus();
}
