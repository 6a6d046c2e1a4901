#include "hearth/matrix/reference.h"

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "hearth/base/error.h"
#include "hearth/base/limits.h"
#include "hearth/base/quoted.h"
#include "hearth/base/status.h"

namespace hearth {
namespace {

constexpr absl::string_view kArchiveThenMember = ".npz:";

bool IsLetter(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}
bool IsDigit(char c) { return c >= '0' && c <= '9'; }

// Empty for a good name.
std::string FaultOfName(absl::string_view name) {
  if (name.empty()) return "it is empty";
  if (name.size() > static_cast<std::size_t>(limits::kNameBytesMax)) {
    return absl::StrCat("it has ", name.size(), " bytes, more than ",
                        limits::kNameBytesMax);
  }
  if (!IsLetter(name[0]) && name[0] != '_') {
    return "it begins with neither a letter nor an underscore";
  }
  for (const char c : name) {
    if (!IsLetter(c) && !IsDigit(c) && !absl::StrContains("_.-", c)) {
      return absl::StrCat("it contains ", Quoted(absl::string_view(&c, 1)));
    }
  }
  return "";
}

absl::Status Refuse(absl::string_view text, absl::string_view finding,
                    absl::string_view advice) {
  return Error(Reason::kBadUsage, absl::StrCat("find the matrix ", Quoted(text),
                                               ": ", finding, "; ", advice));
}

absl::StatusOr<MatrixReference> ParseNpzMember(absl::string_view text,
                                               std::size_t path_bytes,
                                               bool has_dtype) {
  const absl::string_view member =
      text.substr(path_bytes + 1);  // behind the colon
  if (member.empty()) {
    return Refuse(text, "it names no member of the archive",
                  "name one, as in FILE.npz:MEMBER");
  }
  if (has_dtype) {
    return Refuse(text, "a member of a .npz says its own element type",
                  "leave --dtype out");
  }
  return NpzMember{std::string(text.substr(0, path_bytes)),
                   std::string(member)};
}

}  // namespace

absl::StatusOr<MatrixReference> ParseMatrixReference(absl::string_view text,
                                                     bool has_dtype) {
  // A path is handed to the kernel, which would stop at the zero byte.
  if (absl::StrContains(text, '\0')) {
    return Refuse(text, "it contains a zero byte",
                  "give a name or the path of a file");
  }
  // First of all: a member may itself be typed with its .npy.
  if (const std::size_t at = text.find(kArchiveThenMember);
      at != absl::string_view::npos) {
    return ParseNpzMember(text, at + kArchiveThenMember.size() - 1, has_dtype);
  }
  if (has_dtype && !text.empty()) return RawFile{std::string(text)};
  if (absl::EndsWith(text, ".raw")) {
    return Refuse(text, "a raw file does not say what it holds",
                  "give --dtype and --shape");
  }
  const bool is_path = absl::StrContains(text, '/');
  if (is_path && absl::EndsWith(text, ".npz")) {
    return Refuse(text, "it names no member of the archive",
                  "name one, as in FILE.npz:MEMBER");
  }
  if (is_path || absl::EndsWith(text, ".npy")) {
    return NpyFile{std::string(text)};
  }
  if (const std::string fault = FaultOfName(text); !fault.empty()) {
    return Refuse(text, absl::StrCat("as a name, ", fault),
                  "give a name of letters, digits, '_', '.' and '-', or a file "
                  "whose path contains '/' or ends in .npy, .npz:MEMBER or "
                  ".raw");
  }
  return NamedMatrix{std::string(text)};
}

absl::Status CheckMatrixName(absl::string_view name) {
  std::string fault = FaultOfName(name);
  if (fault.empty() &&
      (absl::EndsWith(name, ".npy") || absl::EndsWith(name, ".raw"))) {
    fault = "every command would read it as a file";
  }
  if (fault.empty()) return absl::OkStatus();
  return Error(
      Reason::kBadUsage,
      absl::StrCat("name a matrix ", Quoted(name), ": ", fault, "; give up to ",
                   limits::kNameBytesMax,
                   " letters, digits, '_', '.' and '-', a letter or '_' first, "
                   "not ending in .npy or .raw"));
}

}  // namespace hearth
