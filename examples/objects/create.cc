// create ADDRESS CLASS NAME START: makes an object in a worker that has its
// class from a plugin, and calls it.
#include <cstdio>
#include <cstdlib>

#include "client/objects.h"

int main(int argc, char** argv) {
  if (argc < 5) return 2;
  const auto objects = hearth::Objects::Connect(argv[1], {.insecure = true});
  if (!objects.ok()) return 1;
  const auto made = objects->Create(argv[2], hearth::ListOf(std::atoi(argv[4])),
                                    {.name = argv[3]});
  if (!made.ok()) {
    std::fprintf(stderr, "%s\n", made.status().ToString().c_str());
    return 1;
  }
  const auto sum = made->Call<std::int64_t>("add", 2);
  if (!sum.ok()) return 1;
  std::printf("%lld\n", static_cast<long long>(*sum));
  return 0;
}
