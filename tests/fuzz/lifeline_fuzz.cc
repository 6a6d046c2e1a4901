#include <sys/socket.h>

#include "hearth/base/unique_fd.h"
#include "tests/fuzz/target.h"
#include "worker/keeper/lifeline_message.h"

using hearth::fuzz::Require;

HEARTH_FUZZ_TARGET(lifeline) {
  const auto stories = hearth::worker::DecodeStories(input);
  if (stories.ok()) {
    const auto again =
        hearth::worker::DecodeStories(hearth::worker::EncodeStories(*stories));
    Require(again.ok());
    for (const auto& story : *again) story.WithLastWords();
  }
  int ends[2] = {-1, -1};
  Require(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) == 0);
  const hearth::UniqueFd here(ends[0]), there(ends[1]);
  send(here.get(), input.data(), input.size(), MSG_DONTWAIT | MSG_NOSIGNAL);
  const auto packet = hearth::worker::ReceiveLifeline(there.get());
  if (packet.ok() && packet->has_value()) {
    Require((*packet)->text.size() + sizeof(hearth::worker::LifelineMessage) ==
            input.size());
  }
}
