// counter ADDRESS serve: serves a counter until its input ends.
// counter ADDRESS [COUNT]: calls it, from another process.
#include "examples/objects/counter.h"

#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <memory>

#include "client/objects.h"

namespace {

int Fail(const absl::Status& status) {
  std::fprintf(stderr, "%s\n", std::string(status.message()).c_str());
  return 1;
}

int Serve(const hearth::Objects& objects) {
  auto server = hearth::ObjectServer::Start(objects);
  if (!server.ok()) return Fail(server.status());
  const auto proxy = server->Serve("counter", std::make_shared<Counter>(),
                                   {.tags = {"example"}});
  if (!proxy.ok()) return Fail(proxy.status());
  std::printf("ready\n");
  std::fflush(stdout);
  while (std::getchar() != EOF) {
  }
  return 0;
}

int Call(const hearth::Objects& objects, int count) {
  const hearth::TypedProxy<Counter> counter(objects.Get("counter"));
  for (int i = 0; i < count; ++i) {
    const auto sum = counter.Call<&Counter::Increment>();
    if (!sum.ok()) return Fail(sum.status());
  }
  const auto sum = counter.proxy().Get<std::int64_t>("sum");
  if (!sum.ok()) return Fail(sum.status());
  std::printf("%lld\n", static_cast<long long>(*sum));
  return 0;
}

}  // namespace

int main(int argc, char** argv) {
  if (argc < 2) return 2;
  // With the credentials that HEARTH_TLS_DIR names; else TCP goes without.
  const bool insecure = std::getenv("HEARTH_TLS_DIR") == nullptr;
  const auto objects =
      hearth::Objects::Connect(argv[1], {.insecure = insecure});
  if (!objects.ok()) return Fail(objects.status());
  if (argc > 2 && std::strcmp(argv[2], "serve") == 0) return Serve(*objects);
  return Call(*objects, argc > 2 ? std::atoi(argv[2]) : 1);
}
