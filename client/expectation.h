#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace hearth::client {

// What is known of a host before a job runs.
struct HostMeans {
  std::string host;
  int workers = 0;
  int threads = 0;
  bool has_bytes = false;
  // Of a matrix in pieces: those of the pieces that lie there.
  std::int64_t own_bytes = 0;
  // Of any other: what earlier jobs brought to a host that has it not.
  std::int64_t landed_bytes = 0;
  // Of the matrices that are parameters: what it has to get before it begins.
  std::int64_t missing_bytes = 0;
  // Bytes that a thread of it got streamed, and computed on, in a second.
  // None: nothing was streamed to it yet.
  std::optional<double> stream_bytes_per_second = std::nullopt;
};

struct WorkMeans {
  std::int64_t bytes = 0;              // of the matrix
  std::int64_t block_bytes = 0;        // of a row block
  bool needs_whole = false;            // a host gets all of it, or nothing
  bool in_pieces = false;              // each host has a part of it
  double thread_bytes_per_second = 1;  // where the bytes lie
};

// A host's expected part of a job.
struct Expectation {
  enum class Part { kMaps, kStreams, kUnknown, kNone };
  Part part = Part::kNone;
  std::int64_t bytes_mapped = 0;
  std::int64_t bytes_streamed = 0;
  double seconds = 0;
};

// One for each host. The bytes are shared out so that all are done at the same
// time; a host without them takes part where the coordinator would let it:
// twice the time of one task there must be less than the whole job's without
// it. An unmeasured one may find out with a single task, and is expected to do
// none. Who has some of it by an earlier job does at most that. Of a matrix in
// pieces each host is expected to do its own. What is missing of the parameters
// is added to what streams to those that take part.
std::vector<Expectation> Expect(const std::vector<HostMeans>& hosts,
                                const WorkMeans& work);

}  // namespace hearth::client
