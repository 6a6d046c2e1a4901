#include "client/resolve.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cstddef>
#include <filesystem>
#include <system_error>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "client/mapped_bytes.h"
#include "hearth/base/checked.h"
#include "hearth/base/error.h"
#include "hearth/base/id.h"
#include "hearth/base/status.h"
#include "hearth/matrix/npy.h"
#include "hearth/matrix/npz.h"
#include "hearth/matrix/reference.h"
#include "hearth/shm/file_sample.h"
#include "hearth/transport/control/codec.h"

namespace hearth::client {
namespace {

absl::Status ReadAt(const FileSource& file, std::int64_t offset,
                    std::span<std::byte> into) {
  std::size_t done = 0;
  while (done < into.size()) {
    const ssize_t got =
        pread(file.fd(), into.data() + done, into.size() - done,
              static_cast<off_t>(offset) + static_cast<off_t>(done));
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return ErrnoStatus(absl::StrCat("read ", file.path()));
    if (got == 0) {
      return Error(Reason::kFileChanged,
                   absl::StrCat("read ", file.path(),
                                ": it became shorter while it was read"));
    }
    done += static_cast<std::size_t>(got);
  }
  return absl::OkStatus();
}

absl::StatusOr<MatrixFile> OpenNpy(const NpyFile& npy) {
  HEARTH_ASSIGN_OR_RETURN(FileSource source, FileSource::Open(npy.path));
  const std::int64_t file_bytes = source.identity().bytes;
  std::vector<std::byte> head(
      static_cast<std::size_t>(std::min(file_bytes, kNpyHeaderReadBytes)));
  HEARTH_RETURN_IF_ERROR(ReadAt(source, 0, head));
  HEARTH_ASSIGN_OR_RETURN(NpyHeader header,
                          ParseNpyHeader(head, file_bytes, npy.path));
  return MatrixFile{std::move(source), std::move(header.layout),
                    header.payload_offset};
}

absl::StatusOr<MatrixFile> OpenNpz(const NpzMember& npz) {
  HEARTH_ASSIGN_OR_RETURN(FileSource source, FileSource::Open(npz.path));
  HEARTH_ASSIGN_OR_RETURN(
      NpyHeader header,
      FindNpzArray(npz.path, source.identity().bytes, npz.member,
                   [&](std::int64_t offset, std::span<std::byte> into) {
                     return ReadAt(source, offset, into);
                   }));
  return MatrixFile{std::move(source), std::move(header.layout),
                    header.payload_offset, npz.member};
}

absl::StatusOr<MatrixFile> OpenRaw(const RawFile& raw,
                                   const MatrixArgumentSource& argument) {
  if (argument.dtype.empty() || !argument.shape.has_value()) {
    return Error(Reason::kBadUsage,
                 absl::StrCat("read ", raw.path,
                              ": a raw file says nothing of itself; give "
                              "--dtype and --shape"));
  }
  HEARTH_ASSIGN_OR_RETURN(const NamedElementType type,
                          ParseElementType(argument.dtype));
  HEARTH_ASSIGN_OR_RETURN(FileSource source, FileSource::Open(raw.path));
  HEARTH_ASSIGN_OR_RETURN(MatrixLayout layout,
                          MatrixLayout::Make(type.type, type.byte_order,
                                             argument.order, *argument.shape));
  const auto end = CheckedAdd(argument.offset, layout.bytes());
  if (!end.has_value() || *end > source.identity().bytes) {
    return Error(
        Reason::kBadFile,
        absl::StrCat("read ", raw.path, ": shape ", ToString(layout.shape),
                     " of ", NameOf(layout.type), " from byte ",
                     argument.offset, " needs ", layout.bytes(),
                     " bytes, and the file has ", source.identity().bytes,
                     " in all; check "
                     "--shape, --dtype and --offset"));
  }
  return MatrixFile{std::move(source), std::move(layout), argument.offset};
}

}  // namespace

absl::StatusOr<ResolvedMatrix> Resolve(const MatrixArgumentSource& argument) {
  HEARTH_ASSIGN_OR_RETURN(
      const MatrixReference reference,
      ParseMatrixReference(argument.text, !argument.dtype.empty()));
  if (const auto* named = std::get_if<NamedMatrix>(&reference)) {
    return named->name;
  }
  if (const auto* npy = std::get_if<NpyFile>(&reference)) return OpenNpy(*npy);
  if (const auto* npz = std::get_if<NpzMember>(&reference)) {
    return OpenNpz(*npz);
  }
  return OpenRaw(std::get<RawFile>(reference), argument);
}

proto::MatrixRecord RecordOf(const MatrixFile& file) {
  proto::MatrixRecord record;
  *record.mutable_layout() = ToProto(file.layout);
  const FileIdentity& identity = file.source.identity();
  proto::FileSource& to = *record.mutable_file();
  to.set_path(file.source.path());
  to.set_device(identity.device);
  to.set_inode(identity.inode);
  to.set_size(identity.bytes);
  to.set_mtime_ns(identity.modified_ns);
  to.set_payload_offset(file.payload_offset);
  to.set_member(file.member);
  const std::uint64_t seed = Id::Random().low;
  // One that can't be read is for those to say who compute on it.
  if (const auto sample = SampleOf(file.source, seed); sample.ok()) {
    to.set_sample_seed(sample->seed);
    to.mutable_sample_checksums()->Add(sample->checksums.begin(),
                                       sample->checksums.end());
  }
  record.set_page_bytes(sysconf(_SC_PAGESIZE));
  record.set_sealed(true);
  return record;
}

absl::StatusOr<Matrix> MapFile(MatrixFile file) {
  HEARTH_ASSIGN_OR_RETURN(
      Mapping mapping,
      file.source.MapRange(file.payload_offset, file.layout.bytes()));
  return Matrix(std::make_shared<const MappedBytes>(
      file.layout,
      MappedBytes::File{std::move(file.source), std::move(mapping),
                        file.payload_offset, std::move(file.member)}));
}

absl::StatusOr<Matrix> MapOpenedFile(OpenedHandle opened) {
  // Its path, for messages and for whoever publishes it, is the kernel's word.
  std::error_code unnamed;
  const auto path = std::filesystem::read_symlink(
      absl::StrCat("/proc/self/fd/", opened.fd.get()), unnamed);
  HEARTH_ASSIGN_OR_RETURN(
      FileSource source,
      FileSource::Adopt(std::move(opened.fd),
                        unnamed ? std::string() : path.string()));
  return MapFile({std::move(source), std::move(opened.layout), opened.offset});
}

absl::StatusOr<Matrix> MapOpened(OpenedHandle opened) {
  if (opened.kind == SegmentKind::kFile) {
    return MapOpenedFile(std::move(opened));
  }
  HEARTH_ASSIGN_OR_RETURN(
      SealedSegment segment,
      SealedSegment::Adopt(std::move(opened.fd), opened.layout.bytes()));
  return Matrix(std::make_shared<const MappedBytes>(std::move(opened.layout),
                                                    std::move(segment)));
}

}  // namespace hearth::client
