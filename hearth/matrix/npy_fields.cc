#include "hearth/matrix/npy_fields.h"

#include <cstddef>
#include <cstdint>
#include <optional>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "hearth/base/error.h"
#include "hearth/base/limits.h"
#include "hearth/base/quoted.h"
#include "hearth/base/status.h"

namespace hearth {
namespace {

constexpr std::size_t kExcerptBytes = 40;

bool IsDigit(char c) { return c >= '0' && c <= '9'; }

class FieldReader {
 public:
  FieldReader(absl::string_view text, absl::string_view file)
      : rest_(text), file_(file) {}

  absl::StatusOr<NpyFields> Read();

 private:
  absl::Status ReadField(absl::string_view key);
  absl::StatusOr<std::string> ReadDescr();
  absl::StatusOr<bool> ReadFortranOrder();
  absl::StatusOr<Shape> ReadShape();
  absl::StatusOr<std::int64_t> ReadLength();

  // The two that Python writes, 'a' and "a"; none holds an escape that we
  // would accept, so none is read.
  std::optional<absl::string_view> ConsumeString();
  bool Consume(absl::string_view token);

  absl::Status Damage(absl::string_view finding) const {
    return NpyDamage(
        file_, absl::StrCat(finding, ", at ",
                            rest_.empty() ? "the header's end"
                                          : Quoted(rest_, kExcerptBytes)));
  }

  absl::string_view rest_;
  const absl::string_view file_;
  std::optional<std::string> descr_;
  std::optional<bool> fortran_order_;
  std::optional<Shape> shape_;
};

absl::StatusOr<NpyFields> FieldReader::Read() {
  if (!Consume("{")) return Damage("its header is not a Python dictionary");
  while (!Consume("}")) {
    const std::optional<absl::string_view> key = ConsumeString();
    if (!key.has_value()) return Damage("its header lacks a field's name");
    if (!Consume(":")) {
      return Damage(absl::StrCat("its header lacks a colon after the field ",
                                 Quoted(*key, kExcerptBytes)));
    }
    HEARTH_RETURN_IF_ERROR(ReadField(*key));
    if (Consume(",")) continue;
    if (Consume("}")) break;
    return Damage(absl::StrCat("its ", std::string(*key),
                               " field is followed by neither a comma nor the "
                               "dictionary's end"));
  }
  if (!absl::StripAsciiWhitespace(rest_).empty()) {
    return Damage("its header goes on after the dictionary");
  }
  if (!descr_.has_value()) return NpyDamage(file_, "it has no descr field");
  if (!fortran_order_.has_value()) {
    return NpyDamage(file_, "it has no fortran_order field");
  }
  if (!shape_.has_value()) return NpyDamage(file_, "it has no shape field");
  return NpyFields{*std::move(descr_), *fortran_order_, *std::move(shape_)};
}

absl::Status FieldReader::ReadField(absl::string_view key) {
  // Two keys of one name: Python would take the last, other readers the first.
  const auto once = [&](bool seen) {
    return seen ? Damage(absl::StrCat("its ", key, " field comes twice"))
                : absl::OkStatus();
  };
  if (key == "descr") {
    HEARTH_RETURN_IF_ERROR(once(descr_.has_value()));
    HEARTH_ASSIGN_OR_RETURN(descr_, ReadDescr());
  } else if (key == "fortran_order") {
    HEARTH_RETURN_IF_ERROR(once(fortran_order_.has_value()));
    HEARTH_ASSIGN_OR_RETURN(fortran_order_, ReadFortranOrder());
  } else if (key == "shape") {
    HEARTH_RETURN_IF_ERROR(once(shape_.has_value()));
    HEARTH_ASSIGN_OR_RETURN(shape_, ReadShape());
  } else {
    return NpyDamage(file_, absl::StrCat("its header has a field ",
                                         Quoted(key, kExcerptBytes),
                                         ", which the format does not have"));
  }
  return absl::OkStatus();
}

absl::StatusOr<std::string> FieldReader::ReadDescr() {
  if (const auto text = ConsumeString(); text.has_value()) {
    return std::string(*text);
  }
  if (!rest_.empty() && absl::StrContains("[({", rest_[0])) {
    return Error(
        Reason::kBadFile,
        absl::StrCat("read ", Quoted(file_),
                     ": its descr field is a structured type, ",
                     Quoted(rest_, kExcerptBytes),
                     ", and Hearth has matrices of plain numbers only; save "
                     "each of its fields as an array of its own"));
  }
  return Damage("its descr field is not a string");
}

absl::StatusOr<bool> FieldReader::ReadFortranOrder() {
  if (Consume("True")) return true;
  if (Consume("False")) return false;
  return Damage("its fortran_order field is neither True nor False");
}

absl::StatusOr<Shape> FieldReader::ReadShape() {
  if (!Consume("(")) return Damage("its shape field is not a tuple");
  Shape shape;
  bool ends_in_comma = false;
  while (!Consume(")")) {
    if (!shape.empty() && !ends_in_comma) {
      return Damage("its shape field lacks a comma or its end");
    }
    // Stop at the limit: a damaged header must not make us collect numbers.
    if (shape.size() == static_cast<std::size_t>(limits::kAxisCountMax)) {
      return NpyDamage(file_, absl::StrCat("its shape field has more than ",
                                           limits::kAxisCountMax, " axes"));
    }
    HEARTH_ASSIGN_OR_RETURN(const std::int64_t length, ReadLength());
    shape.push_back(length);
    ends_in_comma = Consume(",");
  }
  if (shape.size() == 1 && !ends_in_comma) {
    // Python reads `(3)` as a number.
    return Damage(absl::StrCat("its shape field is the number ", shape[0],
                               ", not a tuple"));
  }
  return shape;
}

absl::StatusOr<std::int64_t> FieldReader::ReadLength() {
  rest_ = absl::StripLeadingAsciiWhitespace(rest_);
  std::size_t size = absl::StartsWith(rest_, "-") ? 1 : 0;
  const std::size_t first_digit = size;
  while (size < rest_.size() && IsDigit(rest_[size])) ++size;
  const absl::string_view digits =
      rest_.substr(first_digit, size - first_digit);
  if (digits.empty()) {
    return Damage("its shape field holds something that is no whole number");
  }
  // Python has no such number: 03 was octal once, and is an error now.
  if (digits.size() > 1 && digits[0] == '0') {
    return Damage("its shape field has a length that begins with a zero");
  }
  std::int64_t length = 0;
  if (!absl::SimpleAtoi(rest_.substr(0, size), &length)) {
    return Damage("its shape field has a length that passes 2^63");
  }
  rest_.remove_prefix(size);
  absl::ConsumePrefix(&rest_, "L");  // a long integer of Python 2
  return length;
}

std::optional<absl::string_view> FieldReader::ConsumeString() {
  rest_ = absl::StripLeadingAsciiWhitespace(rest_);
  if (rest_.empty() || (rest_[0] != '\'' && rest_[0] != '"')) {
    return std::nullopt;
  }
  const std::size_t end = rest_.find(rest_[0], 1);
  if (end == absl::string_view::npos) return std::nullopt;
  const absl::string_view text = rest_.substr(1, end - 1);
  if (absl::StrContains(text, '\\') || absl::StrContains(text, '\n')) {
    return std::nullopt;
  }
  rest_.remove_prefix(end + 1);
  return text;
}

bool FieldReader::Consume(absl::string_view token) {
  rest_ = absl::StripLeadingAsciiWhitespace(rest_);
  return absl::ConsumePrefix(&rest_, token);
}

}  // namespace

absl::StatusOr<NpyFields> ReadNpyFields(absl::string_view text,
                                        absl::string_view file) {
  return FieldReader(text, file).Read();
}

absl::Status NpyDamage(absl::string_view file, absl::string_view finding) {
  return Error(Reason::kBadFile,
               absl::StrCat("read ", Quoted(file), ": ", finding,
                            "; the file is damaged or was not written by "
                            "NumPy"));
}

}  // namespace hearth
