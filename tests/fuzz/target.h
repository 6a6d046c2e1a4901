// One decoder, fed with whatever bytes: the same function is a libFuzzer
// program of its own and a part of the test that replays the kept corpora.
#pragma once

#include <cstdlib>

#include "absl/strings/string_view.h"

namespace hearth::fuzz {

// Kind: value, one in each target's file, in place for as long as the program.
struct Target {
  using Run = void (*)(absl::string_view input);

  Target(const char* target_name, Run target_run)
      : name(target_name), run(target_run), next(first) {
    first = this;
  }

  const char* const name;
  const Run run;
  const Target* const next;

  static const Target* first;
};

// What must hold whatever the bytes: also in a build without assertions.
inline void Require(bool holds) {
  if (!holds) std::abort();
}

}  // namespace hearth::fuzz

// HEARTH_FUZZ_TARGET(name) { ... input ... }: the corpus is corpus/name.
#define HEARTH_FUZZ_TARGET(target)                                             \
  static void Run_##target(absl::string_view input);                           \
  static const ::hearth::fuzz::Target target_##target(#target, &Run_##target); \
  static void Run_##target(absl::string_view input)
