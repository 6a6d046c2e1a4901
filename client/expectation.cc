#include "client/expectation.h"

#include <algorithm>
#include <numeric>

namespace hearth::client {
namespace {

constexpr double kMargin = 2;  // the coordinator's
// Bytes a second, where nothing was streamed yet: the coordinator's, too.
constexpr double kUnmeasuredStream = 1e9;

// Something that it can compute on without a stream.
bool HasLanded(const HostMeans& host, const WorkMeans& work) {
  return host.landed_bytes >= (work.needs_whole ? work.bytes : 1);
}

// Bytes of the matrix that the host gets done in a second; 0: none.
double RateOf(const HostMeans& host, const WorkMeans& work, double home_rate) {
  const double threads = host.threads;
  if (host.has_bytes || HasLanded(host, work)) {
    return threads * work.thread_bytes_per_second;
  }
  if (!host.stream_bytes_per_second.has_value()) return 0;
  const double stream = std::max(*host.stream_bytes_per_second, 1.0);
  const auto block = static_cast<double>(work.block_bytes);
  const auto whole = static_cast<double>(work.bytes);
  const double task = (work.needs_whole ? whole : block) / stream +
                      block / work.thread_bytes_per_second;
  const bool pays = home_rate == 0 || kMargin * task < whole / home_rate;
  if (!pays) return 0;
  return threads * (work.needs_whole ? work.thread_bytes_per_second : stream);
}

std::vector<Expectation> ExpectInPieces(const std::vector<HostMeans>& hosts,
                                        const WorkMeans& work) {
  std::vector<Expectation> expected;
  for (const HostMeans& host : hosts) {
    Expectation& one = expected.emplace_back();
    if (host.own_bytes == 0 || host.threads == 0) {
      if (!host.stream_bytes_per_second.has_value()) {
        one.part = Expectation::Part::kUnknown;
      }
      continue;
    }
    one.part = Expectation::Part::kMaps;
    one.bytes_mapped = host.own_bytes;
    if (work.needs_whole) one.bytes_streamed = work.bytes - host.own_bytes;
    one.seconds = static_cast<double>(host.own_bytes) /
                  (host.threads * work.thread_bytes_per_second);
  }
  return expected;
}

// What they can't do of their share is left to the others.
std::vector<std::size_t> LandedFirst(const std::vector<HostMeans>& hosts,
                                     const WorkMeans& work) {
  std::vector<std::size_t> order(hosts.size());
  std::iota(order.begin(), order.end(), 0);
  std::stable_partition(order.begin(), order.end(), [&](std::size_t i) {
    return !hosts[i].has_bytes && HasLanded(hosts[i], work);
  });
  return order;
}

std::vector<Expectation> ExpectWhole(const std::vector<HostMeans>& hosts,
                                     const WorkMeans& work) {
  double home_rate = 0;
  for (const HostMeans& host : hosts) {
    if (host.has_bytes) home_rate += RateOf(host, work, 0);
  }
  std::vector<double> rates;
  double rate_left = 0;
  for (const HostMeans& host : hosts) {
    rates.push_back(RateOf(host, work, home_rate));
    rate_left += rates.back();
  }
  std::vector<Expectation> expected(hosts.size());
  std::int64_t bytes_left = work.bytes;
  for (const std::size_t i : LandedFirst(hosts, work)) {
    const HostMeans& host = hosts[i];
    Expectation& one = expected[i];
    if (rates[i] <= 0) {
      const bool is_unknown =
          !host.has_bytes && !host.stream_bytes_per_second.has_value();
      if (is_unknown) one.part = Expectation::Part::kUnknown;
      continue;
    }
    // The last one takes what is left.
    auto share =
        rates[i] >= rate_left
            ? bytes_left
            : static_cast<std::int64_t>(static_cast<double>(bytes_left) *
                                        rates[i] / rate_left);
    const bool has_landed = !host.has_bytes && HasLanded(host, work);
    if (has_landed) share = std::min(share, host.landed_bytes);
    bytes_left -= share;
    rate_left -= rates[i];
    one.seconds = static_cast<double>(share) / rates[i];
    if (host.has_bytes || has_landed) {
      one.part = Expectation::Part::kMaps;
      one.bytes_mapped = share;
      continue;
    }
    one.part = Expectation::Part::kStreams;
    one.bytes_streamed = work.needs_whole ? work.bytes : share;
    if (!work.needs_whole) continue;
    one.bytes_mapped = share;
    one.seconds += static_cast<double>(work.bytes) /
                   std::max(*host.stream_bytes_per_second, 1.0);
  }
  return expected;
}

}  // namespace

std::vector<Expectation> Expect(const std::vector<HostMeans>& hosts,
                                const WorkMeans& work) {
  std::vector<Expectation> expected =
      work.in_pieces ? ExpectInPieces(hosts, work) : ExpectWhole(hosts, work);
  for (std::size_t i = 0; i < hosts.size(); ++i) {
    const bool takes_part =
        expected[i].bytes_mapped + expected[i].bytes_streamed > 0;
    if (!takes_part || hosts[i].missing_bytes == 0) continue;
    expected[i].bytes_streamed += hosts[i].missing_bytes;
    expected[i].seconds +=
        static_cast<double>(hosts[i].missing_bytes) /
        std::max(hosts[i].stream_bytes_per_second.value_or(kUnmeasuredStream),
                 1.0);
  }
  return expected;
}

}  // namespace hearth::client
