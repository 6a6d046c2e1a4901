#include <utility>

#include "client/handles.h"
#include "client/hearth.h"
#include "client/mapped_bytes.h"
#include "hearth/base/error.h"
#include "hearth/base/status.h"
#include "hearth/matrix/row_bytes.h"
#include "hearth/shm/segment.h"

namespace hearth {

struct OpenMatrix::State {
  MatrixLayout layout;
  OpenSegment segment;
  std::span<std::byte> bytes;
};

OpenMatrix::OpenMatrix(std::unique_ptr<State> state)
    : state_(std::move(state)) {}
OpenMatrix::OpenMatrix(OpenMatrix&&) noexcept = default;
OpenMatrix& OpenMatrix::operator=(OpenMatrix&&) noexcept = default;
OpenMatrix::~OpenMatrix() = default;

absl::StatusOr<OpenMatrix> OpenMatrix::Create(ElementType type, Shape shape,
                                              Order order) {
  HEARTH_ASSIGN_OR_RETURN(
      MatrixLayout layout,
      MatrixLayout::Make(type, ByteOrder::kNative, order, std::move(shape)));
  HEARTH_ASSIGN_OR_RETURN(OpenSegment segment,
                          OpenSegment::Create(layout.bytes(), MemoryLimits()));
  auto state =
      std::make_unique<State>(State{std::move(layout), std::move(segment), {}});
  HEARTH_ASSIGN_OR_RETURN(state->bytes, state->segment.Map());
  return OpenMatrix(std::move(state));
}

absl::StatusOr<OpenMatrix> OpenMatrix::Open(absl::string_view handle) {
  HEARTH_ASSIGN_OR_RETURN(client::OpenedHandle opened,
                          client::OpenHandle(handle));
  if (opened.kind != SegmentKind::kOpen) {
    return Error(Reason::kBadUsage,
                 "open a matrix to fill it: its handle stands for a sealed "
                 "one; use Matrix::Open to read it");
  }
  HEARTH_ASSIGN_OR_RETURN(
      OpenSegment segment,
      OpenSegment::Adopt(std::move(opened.fd), opened.layout.bytes()));
  auto state = std::make_unique<State>(
      State{std::move(opened.layout), std::move(segment), {}});
  HEARTH_ASSIGN_OR_RETURN(state->bytes, state->segment.Map());
  return OpenMatrix(std::move(state));
}

const MatrixLayout& OpenMatrix::layout() const { return state_->layout; }

absl::StatusOr<std::span<std::byte>> OpenMatrix::Rows(std::int64_t begin,
                                                      std::int64_t end) {
  HEARTH_ASSIGN_OR_RETURN(const ByteRange range,
                          BytesOfRows(layout(), begin, end));
  return state_->bytes.subspan(
      static_cast<std::size_t>(range.begin),
      static_cast<std::size_t>(range.end - range.begin));
}

absl::StatusOr<std::string> OpenMatrix::Handle() const {
  return client::HandOut(state_->segment.fd(), SegmentKind::kOpen,
                         {.layout = state_->layout});
}

absl::StatusOr<Matrix> OpenMatrix::Seal() && {
  HEARTH_ASSIGN_OR_RETURN(SealedSegment sealed, state_->segment.Seal());
  return Matrix(std::make_shared<const MappedBytes>(std::move(state_->layout),
                                                    std::move(sealed)));
}

}  // namespace hearth
