#pragma once

#include <CLI/CLI.hpp>
#include <memory>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "client/hearth.h"

namespace hearth::client {

// What tells a raw file's contents, on every command that reads one.
struct RawOptions {
  std::string dtype;
  std::string shape;
  std::int64_t offset = 0;
  std::string order = "C";
};
void AddRawOptions(CLI::App& command, RawOptions& options);

// `status` of a command that was given `text` as a matrix; where that is no
// name and an archive lies there, says how one of its members is named.
absl::Status WithHintOfMember(absl::Status status, const std::string& text);

// BAD_USAGE naming the option that is wrong.
absl::StatusOr<MatrixArgumentSource> SourceOf(const std::string& text,
                                              const RawOptions& options);

}  // namespace hearth::client
