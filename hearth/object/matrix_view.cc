#include "hearth/object/matrix_view.h"

#include "absl/strings/str_cat.h"
#include "hearth/base/quoted.h"
#include "hearth/object/call_context.h"

namespace hearth {

bool Type<MatrixView>::Read(Value& value, MatrixView& out, std::string& fault) {
  MatrixHandle handle;
  if (!Type<MatrixHandle>::Read(value, handle, fault)) return false;
  Surroundings* surroundings = SurroundingsScope::Current();
  if (surroundings == nullptr) {
    fault = "is a matrix, and nothing here leads to matrices";
    return false;
  }
  auto source = surroundings->OpenMatrix(handle);
  if (!source.ok()) {
    fault = absl::StrCat(
        "is matrix ", Quoted(handle.text),
        ", which can't be opened here: ", source.status().message());
    return false;
  }
  out = MatrixView(*std::move(source));
  return true;
}

}  // namespace hearth
