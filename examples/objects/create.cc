// create ADDRESS CLASS NAME [ARGUMENT...]: makes an object in a process that
// has its class, a worker with a plugin say, and says where. Arguments as JSON.
#include <cstdio>
#include <vector>

#include "client/objects.h"
#include "hearth/object/json.h"

int main(int argc, char** argv) {
  if (argc < 4) return 2;
  const auto fail = [](const absl::Status& status) {
    std::fprintf(stderr, "%s\n", status.ToString().c_str());
    return 1;
  };
  std::vector<hearth::Value> arguments;
  for (int i = 4; i < argc; ++i) {
    auto value = hearth::FromJson(argv[i]);
    if (!value.ok()) return fail(value.status());
    arguments.push_back(*std::move(value));
  }
  const auto objects = hearth::Objects::Connect(argv[1], {.insecure = true});
  if (!objects.ok()) return fail(objects.status());
  const auto made = objects->Create(argv[2], arguments, {.name = argv[3]});
  if (!made.ok()) return fail(made.status());
  std::printf("made %s\n", argv[3]);
  return 0;
}
