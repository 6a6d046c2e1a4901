#include "client/cli/output/array_json.h"

#include <cstdint>
#include <nlohmann/json.hpp>
#include <vector>

#include "absl/strings/str_cat.h"
#include "client/cli/output/number_text.h"
#include "client/cli/output/strided.h"
#include "hearth/base/error.h"
#include "hearth/base/limits.h"

namespace hearth::client {
namespace {

// Values and lists both take room: (10^12, 0) has no value and 10^12 lists.
bool FitsJson(const Shape& shape) {
  std::int64_t lists = 1;
  for (const std::int64_t length : shape) {
    if (length > limits::kJsonValuesMax) return false;
    lists *= length;
    if (lists > limits::kJsonValuesMax) return false;
    if (lists == 0) break;
  }
  return true;
}

class Nested {
 public:
  Nested(const ArrayView& array, std::string& out)
      : array_(array), strides_(StridesOf(array)), out_(out) {}

  void Append(std::size_t axis, const std::byte* first) {
    if (axis == strides_.size()) {
      AppendJsonElement(array_.type, first, out_);
      return;
    }
    out_ += '[';
    for (std::int64_t i = 0; i < array_.shape[axis]; ++i) {
      if (i > 0) out_ += ", ";
      Append(axis + 1, first + i * strides_[axis]);
    }
    out_ += ']';
  }

 private:
  const ArrayView& array_;
  const std::vector<std::int64_t> strides_;
  std::string& out_;
};

void AppendTypeAndShape(ElementType type, const Shape& shape,
                        std::string& out) {
  absl::StrAppend(&out, "{\"dtype\": \"", NameOf(type), "\", \"shape\": [");
  for (std::size_t i = 0; i < shape.size(); ++i) {
    absl::StrAppend(&out, i > 0 ? ", " : "", shape[i]);
  }
  out += ']';
}

absl::Status AppendOne(const ArrayView& array, absl::string_view file,
                       std::string& out) {
  if (file.empty()) return AppendArrayJson(array, out);
  AppendArrayFileJson(array.type, array.shape, file, out);
  return absl::OkStatus();
}

}  // namespace

std::string JsonString(absl::string_view text) {
  return nlohmann::json(std::string(text))
      .dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
}

absl::Status AppendArrayJson(const ArrayView& array, std::string& out) {
  if (!FitsJson(array.shape)) {
    return Error(Reason::kTooLarge,
                 absl::StrCat("print a result of shape ", ToString(array.shape),
                              ": it has more than ", limits::kJsonValuesMax,
                              " values, write it to a file with -o FILE.npy"));
  }
  AppendTypeAndShape(array.type, array.shape, out);
  out += ", \"values\": ";
  Nested(array, out).Append(0, array.bytes.data());
  out += '}';
  return absl::OkStatus();
}

void AppendArrayFileJson(ElementType type, const Shape& shape,
                         absl::string_view file, std::string& out) {
  AppendTypeAndShape(type, shape, out);
  absl::StrAppend(&out, ", \"file\": ", JsonString(file), "}");
}

absl::Status AppendResultJson(std::span<const ArrayView> arrays,
                              absl::string_view file, std::string& out) {
  if (arrays.size() == 1 && arrays[0].name.empty()) {
    return AppendOne(arrays[0], file, out);
  }
  const std::size_t before = out.size();
  out += "{\"fields\": {";
  for (std::size_t i = 0; i < arrays.size(); ++i) {
    absl::StrAppend(&out, i > 0 ? ", " : "", JsonString(arrays[i].name), ": ");
    if (absl::Status status = AppendOne(arrays[i], file, out); !status.ok()) {
      out.resize(before);
      return status;
    }
  }
  out += "}}";
  return absl::OkStatus();
}

}  // namespace hearth::client
