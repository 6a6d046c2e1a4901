// An operation as arithmetic on one number, made so that nothing goes
// unnoticed: a leaf left out or counted twice, an order changed, a wrong state,
// another tree all change the bits of the result.
#pragma once

#include <bit>
#include <cstdint>
#include <cstring>
#include <string>
#include <vector>

#include "absl/strings/string_view.h"
#include "hearth/matrix/run_tree.h"

namespace hearth::simulation {

inline std::uint64_t Mix(std::uint64_t x) {
  x += 0x9e3779b97f4a7c15u;
  x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9u;
  x = (x ^ (x >> 27)) * 0x94d049bb133111ebu;
  return x ^ (x >> 31);
}

inline std::uint64_t LeafValue(std::uint64_t job, std::uint64_t state,
                               std::int64_t leaf) {
  return Mix(job ^ Mix(state ^ Mix(static_cast<std::uint64_t>(leaf))));
}

// Neither commutative nor associative.
inline std::uint64_t Combined(std::uint64_t left, std::uint64_t right) {
  return Mix(3 * left + Mix(right));
}

inline std::uint64_t Finished(std::uint64_t root, std::uint64_t state) {
  return Mix(root ^ Mix(state + 1));
}

// What one thread with no cluster would find.
inline std::uint64_t SerialRoot(std::uint64_t job, std::uint64_t state,
                                LeafRun run) {
  if (run.leaf_count() == 1) return LeafValue(job, state, run.begin);
  const auto half = static_cast<std::int64_t>(
      std::bit_ceil(static_cast<std::uint64_t>(run.leaf_count())) / 2);
  const std::int64_t middle = run.begin + half;
  return Combined(SerialRoot(job, state, {run.begin, middle}),
                  SerialRoot(job, state, {middle, run.end}));
}

inline std::uint64_t SerialResult(std::uint64_t job, std::int64_t leaf_count,
                                  int rounds) {
  std::uint64_t state = 0;
  for (int round = 0; round < rounds; ++round) {
    state = Finished(SerialRoot(job, state, {0, leaf_count}), state);
  }
  return state;
}

// Of a result as long as the matrix: one a leaf.
using Rows = std::vector<std::uint64_t>;

inline std::string Encode(std::uint64_t value) {
  std::string bytes(sizeof(value), '\0');
  std::memcpy(bytes.data(), &value, sizeof(value));
  return bytes;
}
inline std::uint64_t Decode(absl::string_view bytes) {
  std::uint64_t value = 0;
  std::memcpy(&value, bytes.data(), std::min(bytes.size(), sizeof(value)));
  return value;
}

inline std::string Encode(const Rows& rows) {
  std::string bytes;
  for (const std::uint64_t row : rows) bytes += Encode(row);
  return bytes;
}
inline Rows DecodeRows(absl::string_view bytes) {
  Rows rows;
  for (; bytes.size() >= sizeof(std::uint64_t);
       bytes.remove_prefix(sizeof(std::uint64_t))) {
    rows.push_back(Decode(bytes));
  }
  return rows;
}

}  // namespace hearth::simulation
