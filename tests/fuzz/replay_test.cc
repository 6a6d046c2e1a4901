// Every kept input of every decoder, in milliseconds: what once was found stays
// found, also where no libFuzzer is.
#include <gtest/gtest.h>

#include <cstring>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <memory>
#include <string>

#include "tests/fuzz/target.h"

namespace hearth::fuzz {
namespace {

TEST(Corpora, HarmNoDecoder) {
  const std::filesystem::path corpora = HEARTH_FUZZ_CORPORA;
  for (const Target* target = Target::first; target != nullptr;
       target = target->next) {
    int replayed = 0;
    for (const auto& entry :
         std::filesystem::directory_iterator(corpora / target->name)) {
      SCOPED_TRACE(entry.path().string());
      std::ifstream file(entry.path(), std::ios::binary);
      const std::string text{std::istreambuf_iterator<char>(file), {}};
      // A heap copy of just these bytes, so that ASan sees a read past the end.
      const auto copy = std::make_unique<char[]>(text.size());
      std::memcpy(copy.get(), text.data(), text.size());
      target->run({copy.get(), text.size()});
      ++replayed;
    }
    EXPECT_GT(replayed, 0) << target->name;
    target->run({});
  }
}

}  // namespace
}  // namespace hearth::fuzz
