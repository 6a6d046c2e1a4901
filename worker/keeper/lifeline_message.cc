#include "worker/keeper/lifeline_message.h"

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>

#include "hearth/base/error.h"
#include "hearth/base/status.h"
#include "hearth/transport/handover/packet.h"

namespace hearth::worker {
namespace {

constexpr std::size_t kPacketBytesMax =
    sizeof(LifelineMessage) + kLifelineTextBytesMax;

absl::Status NoLifeline() {
  return Error(Reason::kInternal,
               "read a lifeline: what came is no lifeline message of this "
               "version; was this process started by hand?");
}

}  // namespace

absl::Status SendLifeline(int socket, LifelineMessage head,
                          absl::string_view text) {
  if (text.size() > kLifelineTextBytesMax) {
    return Error(Reason::kTooLarge,
                 "speak on a lifeline: the text is too long");
  }
  head.text_bytes = static_cast<std::uint32_t>(text.size());
  const std::array<iovec, 2> parts = {
      iovec{.iov_base = &head, .iov_len = sizeof(head)},
      iovec{.iov_base = const_cast<char*>(text.data()),
            .iov_len = text.size()}};
  const PacketResult sent = SendPacket(socket, parts);
  if (sent.error == 0) return absl::OkStatus();
  return absl::UnavailableError("speak on a lifeline: nobody listens");
}

absl::StatusOr<std::optional<LifelinePacket>> ReceiveLifeline(int socket) {
  std::vector<std::byte> buffer(kPacketBytesMax);
  std::vector<UniqueFd> unwanted;
  const PacketResult received = ReceivePacket(socket, buffer, unwanted);
  if (received.error == EAGAIN) return std::nullopt;
  if (received.error == EMSGSIZE) return NoLifeline();
  if (received.error != 0) {
    return absl::UnavailableError("read a lifeline: the other end is gone");
  }
  std::optional<LifelinePacket> packet(std::in_place);
  LifelineMessage& head = packet->head;
  if (received.bytes < sizeof(head)) return NoLifeline();
  std::memcpy(&head, buffer.data(), sizeof(head));
  if (head.magic != LifelineMessage::kMagic ||
      head.version != LifelineMessage::kVersion ||
      head.text_bytes != received.bytes - sizeof(head)) {
    return NoLifeline();
  }
  packet->text.assign(
      reinterpret_cast<const char*>(buffer.data()) + sizeof(head),
      head.text_bytes);
  return packet;
}

std::string EncodeStories(const std::vector<WorkerStory>& stories) {
  std::string text;
  // The youngest first into the room there is, but told oldest first.
  for (auto story = stories.rbegin(); story != stories.rend(); ++story) {
    std::string one = story->Encode();
    const auto size = static_cast<std::uint32_t>(one.size());
    one.insert(0, reinterpret_cast<const char*>(&size), sizeof(size));
    if (text.size() + one.size() > kLifelineTextBytesMax) break;
    text.insert(0, one);
  }
  return text;
}

absl::StatusOr<std::vector<WorkerStory>> DecodeStories(absl::string_view text) {
  std::vector<WorkerStory> stories;
  while (!text.empty()) {
    std::uint32_t size = 0;
    if (text.size() < sizeof(size)) return NoLifeline();
    std::memcpy(&size, text.data(), sizeof(size));
    text.remove_prefix(sizeof(size));
    if (text.size() < size) return NoLifeline();
    HEARTH_ASSIGN_OR_RETURN(WorkerStory story,
                            WorkerStory::Decode(text.substr(0, size)));
    stories.push_back(std::move(story));
    text.remove_prefix(size);
  }
  return stories;
}

}  // namespace hearth::worker
