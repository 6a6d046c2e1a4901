#pragma once

#include <cstdint>
#include <memory>

#include "hearth/object/value.h"
#include "hearth/transport/call/call_target.h"

namespace hearth {

// The taking end of stream `id` of the object that `route` leads to: goes on
// where it was when the connection broke. Letting go of it lets the host do so,
// too.
std::shared_ptr<ItemSource> ReadItems(std::uint64_t id,
                                      std::shared_ptr<Route> route,
                                      CallNumbers& numbers);

}  // namespace hearth
