#pragma once

namespace hearth {

inline constexpr char kBulkMethod[] = "/hearth.proto.Bulk/Read";

}  // namespace hearth
