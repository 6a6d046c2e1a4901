// A partial that is a run of numbers to be added up.
#pragma once

#include <cstdint>
#include <cstring>
#include <span>
#include <utility>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "hearth/base/error.h"
#include "hearth/compute/elements.h"
#include "hearth/compute/operation.h"

namespace hearth {

// `count` numbers of type A (double, std::complex<double>, std::uint64_t), zero
// at first.
template <class A>
struct Accumulators {
  static std::int64_t Bytes(std::int64_t count) {
    return count * static_cast<std::int64_t>(sizeof(A));
  }

  static hearth::Bytes Make(std::int64_t count) {
    return hearth::Bytes(static_cast<std::size_t>(Bytes(count)));
  }

  static absl::Status CheckSize(std::int64_t count, std::size_t bytes) {
    if (static_cast<std::int64_t>(bytes) == Bytes(count)) {
      return absl::OkStatus();
    }
    return Error(Reason::kInternal,
                 absl::StrCat("read a partial of sums: it has ", bytes,
                              " bytes, expected ", Bytes(count)));
  }

  static absl::Status Add(std::int64_t count, std::span<const std::byte> right,
                          hearth::Bytes& left) {
    if (auto status = CheckSize(count, left.size()); !status.ok()) {
      return status;
    }
    if (auto status = CheckSize(count, right.size()); !status.ok()) {
      return status;
    }
    auto* sums = reinterpret_cast<A*>(left.data());
    for (std::int64_t i = 0; i < count; ++i) {
      A other;
      std::memcpy(&other, right.data() + Bytes(i), sizeof(A));
      sums[i] += other;
    }
    return absl::OkStatus();
  }

  // The result: a vector of `type`, in the partial's own memory.
  static absl::StatusOr<FinishOutcome> Round(std::int64_t count,
                                             ElementType type,
                                             hearth::Bytes partial) {
    if (auto status = CheckSize(count, partial.size()); !status.ok()) {
      return status;
    }
    WriteElements(type, reinterpret_cast<const A*>(partial.data()), count,
                  partial.data());
    partial.resize(static_cast<std::size_t>(count * BytesOf(type)));
    FinishOutcome outcome;
    outcome.results.push_back({.name = "",
                               .type = type,
                               .shape = {count},
                               .bytes = std::move(partial)});
    return outcome;
  }
};

}  // namespace hearth
