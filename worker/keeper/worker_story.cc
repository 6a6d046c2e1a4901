#include "worker/keeper/worker_story.h"

#include <cstring>
#include <type_traits>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "absl/time/time.h"
#include "hearth/base/error.h"
#include "hearth/base/limits.h"

namespace hearth::worker {
namespace {

// Fixed part; the lines follow, separated by newlines. Keeper and worker are
// one binary, but a version costs nothing.
struct StoryRecord {
  static constexpr std::uint32_t kVersion = 1;
  std::uint32_t version = kVersion;
  std::uint32_t slot = 0;
  std::uint64_t id_high = 0;
  std::uint64_t id_low = 0;
  std::int32_t pid = 0;
  std::int32_t code = 0;
  std::int64_t lived_ms = 0;
  std::uint8_t end = 0;
  std::uint8_t out_of_memory = 0;
  std::uint8_t given_up = 0;
  std::uint8_t hung = 0;
  std::uint32_t line_count = 0;
};
static_assert(sizeof(StoryRecord) == 48);
static_assert(std::is_trivially_copyable_v<StoryRecord>);

constexpr std::size_t kStoryBytesMax =
    sizeof(StoryRecord) +
    limits::kStoryLinesMax * (limits::kStoryLineBytesMax + 1);

// strsignal's words are a terminal's; these are what people search for.
std::string SignalName(int signal) {
  const char* abbreviation = sigabbrev_np(signal);
  if (abbreviation == nullptr) return "unnamed";
  return absl::StrCat("SIG", abbreviation);
}

}  // namespace

std::string WorkerStory::Sentence(absl::string_view subject) const {
  std::string text =
      subject.empty() ? absl::StrCat("worker ", slot) : std::string(subject);
  absl::StrAppend(&text, " (pid ", pid, ") ");
  if (end == End::kSignalled) {
    absl::StrAppend(&text, "was killed by signal ", code, " (",
                    SignalName(code), ")");
  } else {
    absl::StrAppend(&text, "exited with status ", code);
  }
  absl::StrAppend(&text, " after ",
                  absl::FormatDuration(absl::Milliseconds(lived_ms)));
  if (out_of_memory) {
    absl::StrAppend(&text,
                    "; the kernel counted an out-of-memory kill just then");
  }
  if (hung) {
    absl::StrAppend(&text, "; its keeper did that, after ",
                    limits::kSilentLooksMax, "s in which it stood still");
  }
  if (given_up) {
    absl::StrAppend(&text, "; it is not started again");
  }
  return text;
}

std::string WorkerStory::WithLastWords() const {
  if (last_lines.empty()) return Sentence();
  return absl::StrCat(Sentence(),
                      "; its last words: ", absl::StrJoin(last_lines, " | "));
}

std::string WorkerStory::Encode() const {
  StoryRecord record;
  record.slot = slot;
  record.id_high = id.high;
  record.id_low = id.low;
  record.pid = pid;
  record.code = code;
  record.lived_ms = lived_ms;
  record.end = static_cast<std::uint8_t>(end);
  record.out_of_memory = out_of_memory ? 1 : 0;
  record.given_up = given_up ? 1 : 0;
  record.hung = hung ? 1 : 0;
  record.line_count = static_cast<std::uint32_t>(last_lines.size());
  std::string bytes(reinterpret_cast<const char*>(&record), sizeof(record));
  absl::StrAppend(&bytes, absl::StrJoin(last_lines, "\n"));
  return bytes;
}

absl::StatusOr<WorkerStory> WorkerStory::Decode(absl::string_view bytes) {
  const auto refused = [](absl::string_view field) {
    return Error(Reason::kInternal,
                 absl::StrCat("read a worker's story: its ", field,
                              " is not what the keeper writes"));
  };
  StoryRecord record;
  if (bytes.size() < sizeof(record) || bytes.size() > kStoryBytesMax) {
    return refused("size");
  }
  std::memcpy(&record, bytes.data(), sizeof(record));
  bytes.remove_prefix(sizeof(record));
  if (record.version != StoryRecord::kVersion) return refused("version");
  if (record.end > 1) return refused("end");

  WorkerStory story;
  story.slot = record.slot;
  story.id = {record.id_high, record.id_low};
  story.pid = record.pid;
  story.end = static_cast<End>(record.end);
  story.code = record.code;
  story.lived_ms = record.lived_ms;
  story.out_of_memory = record.out_of_memory != 0;
  story.given_up = record.given_up != 0;
  story.hung = record.hung != 0;
  if (record.line_count > 0) story.last_lines = absl::StrSplit(bytes, '\n');
  if (story.last_lines.size() != record.line_count ||
      (record.line_count == 0 && !bytes.empty())) {
    return refused("line count");
  }
  return story;
}

}  // namespace hearth::worker
