#include "client/cli/matrix_options.h"

#include <unistd.h>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "client/cli/checks.h"
#include "hearth/base/error.h"
#include "hearth/base/quoted.h"
#include "hearth/base/status.h"

namespace hearth::client {

void AddRawOptions(CLI::App& command, RawOptions& options) {
  command
      .add_option("--dtype", options.dtype,
                  "Element type: the file is a raw one")
      ->type_name("DTYPE");
  command.add_option("--shape", options.shape, "Shape of a raw file, as 3,4")
      ->type_name("N,N,...");
  command.add_option("--offset", options.offset, "First byte of a raw file")
      ->type_name("BYTES")
      ->check(IsNumber<std::int64_t>());
  command.add_option("--order", options.order, "C (rows) or F (columns)")
      ->type_name("C|F");
}

absl::Status WithHintOfMember(absl::Status status, const std::string& text) {
  if (status.ok() || !absl::EndsWith(text, ".npz") ||
      access(text.c_str(), F_OK) != 0) {
    return status;
  }
  return Error(
      ReasonOf(status),
      absl::StrCat(status.message(), "; the archive ", Quoted(text),
                   " is a file: name a member of it, as ", text, ":MEMBER"));
}

absl::StatusOr<MatrixArgumentSource> SourceOf(const std::string& text,
                                              const RawOptions& options) {
  MatrixArgumentSource source{.text = text, .dtype = options.dtype};
  if (options.offset < 0) {
    return Error(Reason::kBadUsage,
                 absl::StrCat("read ", text, ": --offset is ", options.offset,
                              "; give 0 or more bytes"));
  }
  if (options.order != "C" && options.order != "F") {
    return Error(Reason::kBadUsage,
                 absl::StrCat("read ", text, ": --order is \"", options.order,
                              "\"; give C or F"));
  }
  if (options.dtype.empty() &&
      (!options.shape.empty() || options.offset != 0 || options.order != "C")) {
    return Error(Reason::kBadUsage,
                 absl::StrCat("read ", text,
                              ": --shape, --offset and --order are of raw "
                              "files; say --dtype, too, or leave them out"));
  }
  source.offset = options.offset;
  source.order = options.order == "F" ? Order::kFortran : Order::kC;
  if (!options.shape.empty()) {
    HEARTH_ASSIGN_OR_RETURN(source.shape, ParseShape(options.shape));
  }
  if (!options.dtype.empty()) {
    HEARTH_RETURN_IF_ERROR(ParseElementType(options.dtype).status());
    if (!source.shape.has_value()) {
      return Error(Reason::kBadUsage,
                   absl::StrCat("read ", text,
                                ": --dtype makes it a raw file, whose --shape "
                                "must be given too"));
    }
  }
  return source;
}

}  // namespace hearth::client
