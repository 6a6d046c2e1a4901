#pragma once

#include <string>

#include "client/shared_segment.h"
#include "hearth/matrix/layout.h"

namespace hearth::python {

// From NumPy's words ("<f8", "C" or "F") and back.
MatrixLayout LayoutOf(const std::string& dtype, const std::string& order,
                      const Shape& shape);
std::string TextOf(const MatrixLayout& layout);

}  // namespace hearth::python
