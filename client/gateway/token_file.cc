#include "client/gateway/token_file.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <filesystem>
#include <system_error>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "hearth/base/environment.h"
#include "hearth/base/error.h"
#include "hearth/base/id.h"
#include "hearth/base/quoted.h"
#include "hearth/base/status.h"
#include "hearth/base/unique_fd.h"
#include "hearth/base/whole_file.h"

namespace hearth::client {
namespace {

constexpr std::size_t kTokenBytesMin = 16;
constexpr std::size_t kTokenBytesMax = 1024;

absl::Status Cant(Reason reason, absl::string_view path,
                  absl::string_view finding) {
  return Error(reason,
               absl::StrCat("keep the gateway's token: ", path, ": ", finding));
}

absl::Status CantWrite(absl::string_view path, int error) {
  if (error == ENOENT) {
    return Cant(Reason::kFileMissing, path,
                "its folder is not there; make it, or name another file by "
                "--http-token");
  }
  return Cant(Reason::kNotAllowed, path,
              absl::StrCat(std::system_category().message(error),
                           "; name a file that can be written by "
                           "--http-token"));
}

// Who comes second reads what the first one wrote.
absl::Status Create(const std::string& path) {
  const std::string text =
      absl::StrCat(Id::Random().ToString(), Id::Random().ToString(), "\n");
  const std::error_code error =
      WriteWholeFile(path, text, 0600, /*replace=*/false);
  if (!error || error == std::errc::file_exists) return absl::OkStatus();
  return CantWrite(path, error.value());
}

}  // namespace

absl::StatusOr<std::string> TokenIn(const std::string& path) {
  constexpr int kFlags = O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK;
  UniqueFd fd(open(path.c_str(), kFlags));
  if (!fd.valid() && errno == ENOENT) {
    HEARTH_RETURN_IF_ERROR(Create(path));
    fd.Reset(open(path.c_str(), kFlags));
  }
  if (!fd.valid()) {
    return Cant(Reason::kNotAllowed, path,
                absl::StrCat(std::system_category().message(errno),
                             "; it must be a file of yours, no link"));
  }
  struct stat about {};
  if (fstat(fd.get(), &about) != 0) return ErrnoStatus("fstat");
  if (!S_ISREG(about.st_mode)) {
    return Cant(Reason::kNotAllowed, path,
                S_ISDIR(about.st_mode)
                    ? "it is a folder; name a file in it by --http-token"
                    : "it is no regular file; name one by --http-token");
  }
  if (about.st_uid != geteuid()) {
    return Cant(Reason::kNotAllowed, path,
                "it is another user's, who knows what is in it; name a file "
                "of yours by --http-token");
  }
  if ((about.st_mode & 077) != 0) {
    return Cant(Reason::kNotAllowed, path,
                absl::StrCat("others than you can read or write it; chmod 600 ",
                             Quoted(path), ", with a new token in it"));
  }
  std::string text(kTokenBytesMax + 1, '\0');
  const ssize_t count = read(fd.get(), text.data(), text.size());
  if (count < 0) return ErrnoStatus("read");
  text.resize(static_cast<std::size_t>(count));
  const std::string token(absl::StripAsciiWhitespace(text));
  const bool is_plain = std::all_of(token.begin(), token.end(), [](char c) {
    return absl::ascii_isgraph(static_cast<unsigned char>(c));
  });
  if (text.size() > kTokenBytesMax || token.size() < kTokenBytesMin ||
      !is_plain) {
    return Cant(
        Reason::kBadFile, path,
        absl::StrCat("it is no token: ", kTokenBytesMin, " to ", kTokenBytesMax,
                     " letters, digits and signs on one line; remove "
                     "it, and it is made anew"));
  }
  return token;
}

absl::StatusOr<std::string> TokenPathOfUser() {
  std::string folder;
  if (const auto state = EnvironmentVariable("XDG_STATE_HOME")) {
    folder = absl::StrCat(*state, "/hearth");
  } else if (const auto home = EnvironmentVariable("HOME")) {
    folder = absl::StrCat(*home, "/.local/state/hearth");
  } else {
    return Error(Reason::kFileMissing,
                 "find a place for the gateway's token: neither "
                 "XDG_STATE_HOME nor HOME is set; name one by --http-token "
                 "FILE");
  }
  // Ours to make: nobody has typed it.
  std::error_code failed;
  std::filesystem::create_directories(folder, failed);
  if (failed) return CantWrite(folder, failed.value());
  return folder + "/http-token";
}

}  // namespace hearth::client
