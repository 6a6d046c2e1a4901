#include "worker/keeper/worker_story.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <csignal>

#include "hearth/base/limits.h"
#include "tests/support/status_matchers.h"
#include "worker/keeper/lifeline_message.h"
#include "worker/keeper/log_tail.h"
#include "worker/keeper/oom_evidence.h"

namespace hearth::worker {
namespace {

using ::hearth::testing::IsOk;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

WorkerStory Killed() {
  WorkerStory story;
  story.slot = 2;
  story.id = {1, 2};
  story.pid = 123;
  story.end = WorkerStory::End::kSignalled;
  story.code = SIGKILL;
  story.lived_ms = 1500;
  story.out_of_memory = true;
  story.last_lines = {"mapping 60 GB", "", "and then"};
  return story;
}

TEST(WorkerStory, ReadsAsASentence) {
  EXPECT_EQ(Killed().Sentence(),
            "worker 2 (pid 123) was killed by signal 9 (SIGKILL) after 1.5s; "
            "the kernel counted an out-of-memory kill just then");
  WorkerStory exited;
  exited.code = 7;
  exited.given_up = true;
  EXPECT_THAT(exited.Sentence(), HasSubstr("exited with status 7"));
  EXPECT_THAT(exited.Sentence(), HasSubstr("is not started again"));
  exited.hung = true;
  EXPECT_THAT(exited.Sentence(), HasSubstr("its keeper did that, after 30s"));
}

TEST(WorkerStory, ComesBackFromItsBytes) {
  WorkerStory silent = Killed();
  silent.last_lines.clear();
  silent.hung = true;
  const std::vector<WorkerStory> told = {Killed(), silent};
  const auto heard = DecodeStories(EncodeStories(told));
  ASSERT_THAT(heard, IsOk());
  EXPECT_EQ(*heard, told);
}

TEST(WorkerStory, RefusesBytesThatAreNone) {
  const std::string good = Killed().Encode();
  EXPECT_FALSE(WorkerStory::Decode("").ok());
  EXPECT_FALSE(WorkerStory::Decode(good + "\nmore").ok());
  EXPECT_FALSE(WorkerStory::Decode(std::string(100, '\xff')).ok());
  EXPECT_FALSE(DecodeStories("abc").ok());
}

TEST(WorkerStory, TellsTheYoungestWhereTheyAreTooMany) {
  WorkerStory long_story;
  long_story.last_lines.assign(limits::kStoryLinesMax,
                               std::string(limits::kStoryLineBytesMax, 'x'));
  std::vector<WorkerStory> told(8, long_story);
  told.back().code = 42;
  const auto heard = DecodeStories(EncodeStories(told));
  ASSERT_THAT(heard, IsOk());
  EXPECT_LT(heard->size(), told.size());
  EXPECT_EQ(heard->back().code, 42);
}

TEST(LogTail, KeepsTheLastLinesWhateverThePieces) {
  LogTail tail;
  for (int i = 0; i < 1000; ++i) {
    tail.Append("line ");
    tail.Append(std::to_string(i) + "\nunfin");
    tail.Append("ished\n");
  }
  tail.Append("no newline");
  const auto lines = tail.Lines();
  ASSERT_EQ(lines.size(), std::size_t{limits::kStoryLinesMax});
  EXPECT_EQ(lines.back(), "no newline");
  EXPECT_EQ(lines[lines.size() - 3], "line 999");
}

TEST(LogTail, IsBoundedByBytesToo) {
  LogTail tail;
  for (int i = 0; i < 100; ++i) tail.Append(std::string(100000, 'x'));
  ASSERT_EQ(tail.Lines().size(), 1u);
  EXPECT_EQ(tail.Lines()[0].size(), std::size_t{limits::kStoryLineBytesMax});
}

TEST(LogTail, LetsNoEscapeSequenceThrough) {
  LogTail tail;
  tail.Append("red \x1b[31m\xff\n");
  EXPECT_THAT(tail.Lines(), ElementsAre("red ?[31m?"));
  EXPECT_THAT(LogTail().Lines(), IsEmpty());
}

TEST(OomEvidence, ReadsTheKernelsCount) {
  EXPECT_EQ(OomKillsIn("low 0\noom 3\noom_kill 2\noom_group_kill 1\n"), 2);
  EXPECT_EQ(OomKillsIn(""), 0);
}

}  // namespace
}  // namespace hearth::worker
