#include "client/handles.h"

#include <utility>

#include "absl/strings/str_cat.h"
#include "hearth/base/error.h"
#include "hearth/base/program.h"
#include "hearth/base/status.h"
#include "hearth/transport/control/codec.h"
#include "hearth/transport/handover/ticket.h"

namespace hearth::client {
namespace {

// One a process: handles outlive every object of ours.
TicketOffice& Office() {
  static TicketOffice* const office = new TicketOffice(
      {.program = FindHearthProgram().value_or(std::string())});
  return *office;
}

}  // namespace

absl::StatusOr<std::string> HandOut(int fd, SegmentKind kind,
                                    const SegmentNote& note,
                                    std::int64_t offset) {
  const MatrixLayout& layout = note.layout;
  proto::Layout message = ToProto(layout);
  message.set_numpy(note.numpy);
  const SegmentCard card = {.kind = kind,
                            .bytes = static_cast<std::uint64_t>(layout.bytes()),
                            .offset = static_cast<std::uint64_t>(offset),
                            .note = message.SerializeAsString()};
  const std::string label =
      absl::StrCat(NameOf(layout.type), ToString(layout.shape));
  return Office().HandOut(fd, card, label);
}

absl::StatusOr<bool> HandOutAgain(absl::string_view handle) {
  return Office().AwaitOneMore(handle);
}

absl::StatusOr<OpenedHandle> OpenHandle(absl::string_view handle,
                                        HandleFrom from) {
  HEARTH_ASSIGN_OR_RETURN(
      FetchedSegment fetched,
      Office().Open(handle, {.vouched = from == HandleFrom::kUser}));
  proto::Layout message;
  if (!message.ParseFromString(fetched.card.note)) {
    return Error(Reason::kBadUsage,
                 "open a handle: it stands for something that is no matrix");
  }
  OpenedHandle opened{.fd = std::move(fetched.fd),
                      .kind = fetched.card.kind,
                      .layout = {},
                      .numpy = message.numpy(),
                      .offset = static_cast<std::int64_t>(fetched.card.offset)};
  HEARTH_ASSIGN_OR_RETURN(opened.layout, FromProto(message));
  if (static_cast<std::uint64_t>(opened.layout.bytes()) != fetched.card.bytes) {
    return Error(Reason::kBadUsage,
                 "open a handle: its shape and its size disagree");
  }
  return opened;
}

}  // namespace hearth::client
