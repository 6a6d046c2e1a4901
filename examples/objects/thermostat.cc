// thermostat ADDRESS: serves one until its input ends, for whoever comes: the
// shell (`hearth call`), another program, or, through a coordinator that was
// started with --http, anybody who speaks HTTP.
#include <atomic>
#include <cstdint>
#include <cstdio>
#include <memory>
#include <optional>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "client/objects.h"
#include "hearth/object/call_error.h"

namespace {

constexpr char kTooHot[] = "thermostat.TooHot";

class Thermostat {
 public:
  double target() const { return target_; }
  absl::Status SetTarget(double celsius) {
    if (celsius > 30) {
      return hearth::TypedError(
          kTooHot, absl::StrCat(celsius, " degrees are too many, 30 the most"));
    }
    target_ = celsius;
    return absl::OkStatus();
  }
  double Fahrenheit(double celsius) const { return celsius * 9 / 5 + 32; }
  // Takes its time, but ends when its caller has gone away. Runs beside others.
  absl::StatusOr<bool> Hold(hearth::CallContext& context, double seconds) {
    ++begun_;
    const absl::Time end = absl::Now() + absl::Seconds(seconds);
    while (absl::Now() < end) {
      if (context.cancelled()) {
        ++left_;
        return absl::CancelledError("nobody waits any more");
      }
      absl::SleepFor(absl::Milliseconds(5));
    }
    return true;
  }
  std::int64_t begun() const { return begun_; }
  std::int64_t left() const { return left_; }
  hearth::Items<double> Readings(std::int64_t count) {
    auto made = std::make_shared<std::int64_t>(0);
    return {[made, count]() -> absl::StatusOr<std::optional<double>> {
      if (*made == count) return std::nullopt;
      return 20 + 0.5 * static_cast<double>((*made)++ % 4);
    }};
  }

 private:
  double target_ = 20;
  std::atomic<std::int64_t> begun_ = 0;
  std::atomic<std::int64_t> left_ = 0;
};

hearth::Class Describe(hearth::As<Thermostat>) {
  return hearth::Declare<Thermostat>("Thermostat", {.doc = "Keeps it warm."})
      .Attribute("target", &Thermostat::target, &Thermostat::SetTarget)
      .Attribute("begun", &Thermostat::begun)
      .Attribute("left", &Thermostat::left)
      .Method("fahrenheit", &Thermostat::Fahrenheit,
              {.parameters = {"celsius"}, .idempotent = true})
      .Method("hold", &Thermostat::Hold,
              {.parameters = {"seconds"},
               .doc = "Lasts that long.",
               .concurrent = true})
      .Method("readings", &Thermostat::Readings, {.parameters = {"count"}});
}

absl::Status Run(const char* address) {
  const auto objects = hearth::Objects::Connect(address, {.insecure = true});
  if (!objects.ok()) return objects.status();
  auto server = hearth::ObjectServer::Start(*objects);
  if (!server.ok()) return server.status();
  const auto served = server->Serve("hall", std::make_shared<Thermostat>(),
                                    {.tags = {"thermostat", "ground floor"}});
  if (!served.ok()) return served.status();
  std::printf("ready\n");
  std::fflush(stdout);
  while (std::getchar() != EOF) {
  }
  return absl::OkStatus();
}

}  // namespace

int main(int argc, char** argv) {
  const absl::Status status =
      argc < 2 ? absl::InvalidArgumentError("thermostat ADDRESS")
               : Run(argv[1]);
  if (!status.ok()) std::fprintf(stderr, "%s\n", status.ToString().c_str());
  return status.ok() ? 0 : 1;
}
