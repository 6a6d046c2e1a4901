#include <utility>

#include "absl/strings/str_cat.h"
#include "client/handles.h"
#include "client/hearth.h"
#include "client/mapped_bytes.h"
#include "client/resolve.h"
#include "hearth/base/error.h"
#include "hearth/base/status.h"
#include "hearth/matrix/row_bytes.h"

namespace hearth {

Matrix::Matrix(std::shared_ptr<const MappedBytes> bytes)
    : bytes_(std::move(bytes)) {}

absl::StatusOr<Matrix> Matrix::Load(absl::string_view path) {
  return Load({.text = std::string(path)});
}

absl::StatusOr<Matrix> Matrix::Load(MatrixArgumentSource file) {
  // A bare file name is a file here: there is no cluster to have a name in.
  if (file.text.find('/') == std::string::npos) {
    file.text = absl::StrCat("./", file.text);
  }
  HEARTH_ASSIGN_OR_RETURN(auto resolved, client::Resolve(file));
  return client::MapFile(std::get<client::MatrixFile>(std::move(resolved)));
}

absl::StatusOr<Matrix> Matrix::Open(absl::string_view handle) {
  HEARTH_ASSIGN_OR_RETURN(client::OpenedHandle opened,
                          client::OpenHandle(handle));
  return client::MapOpened(std::move(opened));
}

const MatrixLayout& Matrix::layout() const { return bytes_->layout(); }
std::span<const std::byte> Matrix::bytes() const { return bytes_->bytes(); }

std::string Matrix::file() const {
  const MappedBytes::File* file = bytes_->file();
  return file == nullptr ? std::string() : file->source.path();
}

absl::StatusOr<std::span<const std::byte>> Matrix::Rows(
    std::int64_t begin, std::int64_t end) const {
  HEARTH_ASSIGN_OR_RETURN(const ByteRange range,
                          BytesOfRows(layout(), begin, end));
  return bytes().subspan(static_cast<std::size_t>(range.begin),
                         static_cast<std::size_t>(range.end - range.begin));
}

absl::StatusOr<std::string> Matrix::Handle() const {
  const SealedSegment* segment = bytes_->segment();
  if (segment != nullptr) {
    return client::HandOut(segment->fd(), SegmentKind::kSealed,
                           {.layout = layout()});
  }
  const MappedBytes::File* file = bytes_->file();
  if (file == nullptr) {
    return Error(Reason::kBadUsage,
                 "hand out a matrix: it came in a message, and is no segment");
  }
  return client::HandOut(file->source.fd(), SegmentKind::kFile,
                         {.layout = layout()}, file->payload_offset);
}

}  // namespace hearth
