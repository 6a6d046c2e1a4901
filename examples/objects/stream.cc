// stream ADDRESS [COUNT]: items that are made as they are taken.
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <memory>

#include "client/objects.h"

namespace {

class Squares {
 public:
  hearth::Items<std::int64_t> Up(std::int64_t count) {
    auto next = std::make_shared<std::int64_t>(0);
    return {[next, count]() -> absl::StatusOr<std::optional<std::int64_t>> {
      if (*next == count) return std::nullopt;
      const std::int64_t root = (*next)++;
      return root * root;
    }};
  }
};
hearth::Class Describe(hearth::As<Squares>) {
  return hearth::Declare<Squares>("Squares").Method("up", &Squares::Up,
                                                    {.parameters = {"count"}});
}

absl::Status Run(const char* address, std::int64_t count) {
  const auto serving = hearth::Objects::Connect(address, {.insecure = true});
  if (!serving.ok()) return serving.status();
  auto server = hearth::ObjectServer::Start(*serving);
  if (!server.ok()) return server.status();
  const auto served = server->Serve("squares", std::make_shared<Squares>());
  if (!served.ok()) return served.status();

  const auto calling = hearth::Objects::Connect(address, {.insecure = true});
  if (!calling.ok()) return calling.status();
  const auto begin = std::chrono::steady_clock::now();
  auto items = calling->Get("squares").Iterate<std::int64_t>("up", count);
  if (!items.ok()) return items.status();
  std::int64_t taken = 0;
  while (true) {
    const auto item = items->Next();
    if (!item.ok()) return item.status();
    if (!item->has_value()) break;
    if (**item != taken * taken) return absl::DataLossError("out of order");
    ++taken;
  }
  const double seconds =
      std::chrono::duration<double>(std::chrono::steady_clock::now() - begin)
          .count();
  std::printf("%lld items\n", static_cast<long long>(taken));
  std::fprintf(stderr, "%.0f items a second\n",
               static_cast<double>(taken) / seconds);
  return absl::OkStatus();
}

}  // namespace

int main(int argc, char** argv) {
  const absl::Status status =
      argc < 2 ? absl::InvalidArgumentError("stream ADDRESS [COUNT]")
               : Run(argv[1], argc > 2 ? std::atoll(argv[2]) : 1'000'000);
  if (!status.ok()) std::fprintf(stderr, "%s\n", status.ToString().c_str());
  return status.ok() ? 0 : 1;
}
