#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

namespace hearth::server {

// Rows of bytes that outlive the process, in one file of a directory.
//
// Kind:    resource, single-threaded; one process a directory.
// Fails:   with the file's path and what SQLite says: a full disk, a damaged
//          file. Nothing of a failed Write is there afterwards.
class Journal {
 public:
  enum class Kind : std::uint8_t {
    kNumber = 1,
    kMatrix = 2,
    kJob = 3,
    kObjectHost = 4,
    kObjectName = 5
  };
  struct Row {
    Kind kind{};
    std::string key;
    std::string value;
  };
  struct Change {
    Kind kind{};
    std::string key;
    std::optional<std::string> value;  // none: the row goes
  };
  // What survives: the death of this process, or the machine's as well. The
  // second waits for the disk.
  enum class Survives : std::uint8_t { kProcess, kMachine };

  // Makes the directory, for its owner alone, where there is none. name-taken
  // while another coordinator has it.
  static absl::StatusOr<std::unique_ptr<Journal>> Open(
      const std::string& directory);
  ~Journal();

  absl::StatusOr<std::vector<Row>> Read();
  // All of it or nothing.
  absl::Status Write(std::span<const Change> changes, Survives survives);

 private:
  struct Parts;
  Journal();
  std::unique_ptr<Parts> parts_;
};

}  // namespace hearth::server
