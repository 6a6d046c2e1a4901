#include "worker/segments/origin.h"

#include <sys/stat.h>

#include <algorithm>
#include <optional>
#include <span>
#include <utility>

#include "absl/strings/str_cat.h"
#include "hearth/base/error.h"
#include "hearth/base/limits.h"
#include "hearth/base/status.h"
#include "hearth/compute/random_fill.h"
#include "hearth/shm/file_sample.h"
#include "hearth/shm/file_source.h"
#include "hearth/shm/fill.h"
#include "hearth/shm/memory_limits.h"
#include "hearth/transport/control/codec.h"
#include "hearth/transport/reach/published_file.h"

namespace hearth::worker {
namespace {

absl::Status CheckIdentity(int fd, const FileIdentity& published) {
  struct stat found {};
  if (fstat(fd, &found) != 0) return ErrnoStatus("fstat of a file");
  if (FileIdentity::Of(found) == published) return absl::OkStatus();
  return Error(Reason::kFileChanged,
               "copy a file: it has changed since it was put; put it again");
}

SegmentPlace PlaceOf(const proto::Replica& holder) {
  return SegmentPlace::At(
      {.token = FromProto(holder.token()),
       .host = holder.host(),
       .addresses = {holder.addresses().begin(), holder.addresses().end()}},
      0);
}

// The file as this host has it, and what it is known by here.
struct FileHere {
  FileSource file;
  FileIdentity identity;
};

// By its path, or from a keeper of this machine. None where only another host
// has it.
absl::StatusOr<std::optional<FileHere>> OpenHere(const proto::Origin& origin,
                                                 SegmentReach& reach) {
  const proto::FileSource& file = origin.file();
  const FileIdentity published = PublishedIdentity(file);
  const FileSample sample = PublishedSample(file);
  if (auto seen = FileSource::Open(file.path()); seen.ok()) {
    const auto known = Recognize(*seen, published, sample);
    if (known.ok()) {
      return std::optional<FileHere>({*std::move(seen), *known});
    }
  }
  if (!origin.has_holder()) {
    return Error(Reason::kFileMissing,
                 absl::StrCat("copy \"", file.path(),
                              "\": this host does not see it as it was put"));
  }
  HEARTH_ASSIGN_OR_RETURN(auto fetched, reach.Fetch(PlaceOf(origin.holder())));
  if (!fetched.has_value()) return std::optional<FileHere>();
  HEARTH_ASSIGN_OR_RETURN(
      FileSource held, FileSource::Adopt(std::move(fetched->fd), file.path()));
  HEARTH_RETURN_IF_ERROR(CheckIdentity(held.fd(), published));
  return std::optional<FileHere>({std::move(held), published});
}

absl::Status FillFromFile(
    const proto::Origin& origin, std::int64_t offset, const OpenSegment& into,
    SegmentReach& reach, int threads, const std::function<bool()>& cancelled,
    const std::function<absl::Status(std::int64_t)>& progress) {
  HEARTH_ASSIGN_OR_RETURN(const auto here, OpenHere(origin, reach));
  const MemoryLimits memory;
  if (!here.has_value()) {
    std::int64_t unchecked = 0;
    return reach.StreamPart(
        into, PlaceOf(origin.holder()),
        {.from = offset, .to = 0, .bytes = into.bytes()}, cancelled,
        [&](std::int64_t came) {
          unchecked += came;
          if (unchecked >= limits::kFillCheckBytes) {
            unchecked = 0;
            HEARTH_RETURN_IF_ERROR(memory.Reserve(
                limits::kFillCheckBytes, "copy a file of another host"));
          }
          return progress(came);
        });
  }
  // Some at a time, so that it shows.
  for (std::int64_t done = 0; done < into.bytes();) {
    if (cancelled()) return Error(Reason::kJobCancelled, "copy: stopped");
    const std::int64_t some =
        std::min(limits::kFillCheckBytes, into.bytes() - done);
    HEARTH_RETURN_IF_ERROR(CopyFileIntoSegment(
        into, done, here->file, origin.file().payload_offset() + offset + done,
        some, memory, {.threads = threads}));
    HEARTH_RETURN_IF_ERROR(progress(some));
    done += some;
  }
  return CheckIdentity(here->file.fd(), here->identity);
}

}  // namespace

absl::Status CheckFile(int fd, absl::string_view note) {
  proto::FileSource published;
  if (!published.ParseFromArray(note.data(), static_cast<int>(note.size()))) {
    return Error(Reason::kBadUsage, "read a file: its card is none of ours");
  }
  return CheckIdentity(fd, PublishedIdentity(published));
}

absl::Status FillFromOrigin(
    const proto::Origin& origin, std::int64_t offset, const OpenSegment& into,
    SegmentReach& reach, int threads, const std::function<bool()>& cancelled,
    const std::function<absl::Status(std::int64_t)>& progress) {
  if (origin.has_file()) {
    return FillFromFile(origin, offset, into, reach, threads, cancelled,
                        progress);
  }
  if (!origin.has_random() || !IsKnown(origin.random().element_type())) {
    return Error(Reason::kBadUsage,
                 "make a matrix: of nothing that this version knows");
  }
  const auto type = static_cast<ElementType>(origin.random().element_type());
  const std::int64_t element_bytes = BytesOf(type);
  return MakeInSegment(into, 0, into.bytes(),
                       [&](std::int64_t begin, std::span<std::byte> to) {
                         if (cancelled())
                           return Error(Reason::kJobCancelled, "make: stopped");
                         FillRandom(type, origin.random().seed(),
                                    (offset + begin) / element_bytes,
                                    std::ssize(to) / element_bytes, to.data());
                         return progress(std::ssize(to));
                       },
                       MemoryLimits(), {.threads = threads});
}

}  // namespace hearth::worker
