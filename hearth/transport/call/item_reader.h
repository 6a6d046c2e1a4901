#pragma once

#include <cstdint>
#include <memory>
#include <optional>

#include "hearth/object/value.h"
#include "hearth/transport/call/call_target.h"

namespace hearth {

// The taking end of stream `id` of the object that `route` leads to: goes on
// where it was when the connection broke. Letting go of it lets the host do so,
// too. Who waits for the next one stops, with call-cancelled, soon after
// `cancellation`, or the call that his thread serves, was cancelled. `told_by`
// is where the answer came from that has the stream.
std::shared_ptr<ItemSource> ReadItems(std::uint64_t id,
                                      std::shared_ptr<Route> route,
                                      std::optional<Cancellation> cancellation,
                                      std::weak_ptr<Conversation> told_by);

}  // namespace hearth
