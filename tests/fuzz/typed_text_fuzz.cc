// What users type, and what of it travels to workers: types, shapes, matrix
// references, sizes and operations' parameters.
#include "hearth/base/limits.h"
#include "hearth/base/quoted.h"
#include "hearth/base/units.h"
#include "hearth/compute/parameters.h"
#include "hearth/matrix/element_type.h"
#include "hearth/matrix/layout.h"
#include "hearth/matrix/reference.h"
#include "tests/fuzz/target.h"

using hearth::fuzz::Require;

HEARTH_FUZZ_TARGET(typed_text) {
  if (const auto type = hearth::ParseElementType(input); type.ok()) {
    const auto same = hearth::ParseElementType(hearth::NameOf(type->type));
    Require(same.ok() && same->type == type->type);
  }
  hearth::RefusedKindOf(input);
  if (const auto shape = hearth::ParseShape(input); shape.ok()) {
    Require(shape->size() <=
            static_cast<std::size_t>(hearth::limits::kAxisCountMax));
    const auto same = hearth::ParseShape(hearth::ToString(*shape));
    Require(same.ok() && *same == *shape);
    hearth::FaultOf(*shape, hearth::ElementType::kComplex128);
  }
  for (const bool has_dtype : {false, true}) {
    const auto reference = hearth::ParseMatrixReference(input, has_dtype);
    if (!reference.ok()) continue;
    if (std::get_if<hearth::NamedMatrix>(&*reference) == nullptr) continue;
    Require(hearth::CheckMatrixName(input).ok());
  }
  if (const auto bytes = hearth::ParseSize(input); bytes.ok()) {
    Require(*bytes >= 0);
    hearth::FormatBytes(*bytes);
  }
  Require(hearth::Quoted(input).find('\n') == std::string::npos);
  (void)hearth::ParseAxes("axis", input);
  (void)hearth::ParseBool("b", input);
  (void)hearth::ParseInteger("i", input);
  (void)hearth::ParseNumber("x", input);
  (void)hearth::ParseNumbers("xs", input);
  (void)hearth::ParseDtype("dtype", input);
}
