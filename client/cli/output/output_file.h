#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "hearth/base/unique_fd.h"

namespace hearth::client {

// A file that appears under its name whole, or not at all.
//
// Bytes go to a file without a name in the same directory (O_TMPFILE), which
// Commit links in place; where something has the name already, that is
// replaced in one step. Whoever dies before leaves nothing behind. On a file
// system without such files a hidden temporary one stands in, which only a
// kill -9 can leave.
//
// Kind:    resource. Moves; one that was never committed leaves no trace.
// Threads: one owner.
// Fails:   FILE_MISSING (no such directory), NOT_ALLOWED, OUT_OF_DISK.
class OutputFile {
 public:
  // Room for `bytes_expected` is set aside first, so that a full disk is
  // noticed before the work. A symbolic link is followed; what exists and is no
  // regular file is refused (NOT_ALLOWED; BAD_USAGE for what names none).
  static absl::StatusOr<OutputFile> Create(const std::string& path,
                                           std::int64_t bytes_expected);

  // Whether Create would, now: asked before work whose result would be lost.
  // Leaves nothing.
  static absl::Status CheckCreate(const std::string& path,
                                  std::int64_t bytes_expected = 0);

  OutputFile(OutputFile&& other) noexcept;
  OutputFile& operator=(OutputFile&&) = delete;
  ~OutputFile();

  absl::Status Append(std::span<const std::byte> bytes);
  absl::Status Append(absl::string_view bytes);

  // Once. Nothing may be appended after it.
  absl::Status Commit();

 private:
  OutputFile(std::string path, UniqueFd fd, std::string temporary)
      : path_(std::move(path)),
        fd_(std::move(fd)),
        temporary_(std::move(temporary)) {}

  std::string path_;
  UniqueFd fd_;
  std::string temporary_;  // the hidden file's path; empty: it has no name
};

}  // namespace hearth::client
