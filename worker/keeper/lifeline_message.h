#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <type_traits>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "hearth/base/id.h"
#include "worker/keeper/worker_story.h"

namespace hearth::worker {

enum class LifelineVerb : std::uint16_t {
  kHello = 1,  // keeper: who you are; `text` is your predecessors' stories
  kStory = 2,  // keeper: a sibling's story, to pass on
  kReady = 3,  // child: I can take work; `text` is a note
  kLeave = 4,  // keeper: hand over what only this host has, then end
  kLeaving =
      5,       // child: at it; `text`, if any, is what could not be handed over
  kAlive = 6,  // child: I run; about once a second
};

// The 48 bytes that every packet on a lifeline begins with; `text_bytes` of
// text follow. Drawn in docs/formats.md.
struct LifelineMessage {
  static constexpr std::uint32_t kMagic = 0x4c525448;  // "HTRL", little-endian
  static constexpr std::uint16_t kVersion = 1;

  std::uint32_t magic = kMagic;
  std::uint16_t version = kVersion;
  std::uint16_t verb = 0;
  std::uint64_t id_high = 0;  // kHello: the child's own
  std::uint64_t id_low = 0;
  std::uint32_t slot = 0;  // kHello
  std::int32_t pid = 0;    // kReady: the sender's own
  std::uint32_t text_bytes = 0;
  std::uint8_t reserved[12] = {};
};
static_assert(sizeof(LifelineMessage) == 48);
static_assert(std::is_trivially_copyable_v<LifelineMessage>);

// Above this, stories stay untold: a packet must fit the socket's buffer.
inline constexpr std::size_t kLifelineTextBytesMax = 96 * 1024;
inline constexpr std::size_t kLifelineNoteBytesMax = 1024;

struct LifelinePacket {
  LifelineMessage head;
  std::string text;
};

// One packet; never blocks. Fails: unavailable when the other end is gone or
// does not read.
absl::Status SendLifeline(int socket, LifelineMessage head,
                          absl::string_view text);

// The next packet; nothing while none waits. Never blocks.
// Fails: unavailable at the end of the line; internal for bytes that are no
//        such packet.
absl::StatusOr<std::optional<LifelinePacket>> ReceiveLifeline(int socket);

// Stories one behind the other, the last ones where they are too many.
std::string EncodeStories(const std::vector<WorkerStory>& stories);
absl::StatusOr<std::vector<WorkerStory>> DecodeStories(absl::string_view text);

}  // namespace hearth::worker
