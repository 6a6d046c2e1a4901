#include "server/core/rate_book.h"

#include <gtest/gtest.h>

namespace hearth::server {
namespace {

const MatrixLayout kLayout = {.shape = {1024, 128}};  // 1 MiB of float64

JobRecord Done(const std::string& operation, Traffic traffic,
               absl::Duration busy) {
  auto matrix = std::make_shared<MatrixRecord>();
  matrix->layout = kLayout;
  auto order = std::make_shared<JobOrder>();
  order->operation = operation;
  order->matrix = matrix;
  JobRecord job{.order = order, .state = JobState::kDone, .traffic = traffic};
  job.hosts["h1"] = {.workers_used = 1, .traffic = traffic, .busy = busy};
  return job;
}

TEST(RateBook, ExpectsOfAJobWhatTheLastOfItsKindDid) {
  RateBook book;
  EXPECT_FALSE(book.Find("sum", "", kLayout).has_value());
  book.Note(Done("sum", {.bytes_mapped = 1 << 20}, absl::Seconds(2)));
  EXPECT_DOUBLE_EQ(*book.Find("sum", "", kLayout), 512 * 1024);
  EXPECT_FALSE(book.Find("sum", "axis=0", kLayout).has_value());
  EXPECT_FALSE(book.Find("sum", "", {.shape = {1024, 64}}).has_value());
  EXPECT_TRUE(book.Find("sum", "", {.shape = {9, 128}}).has_value());
}

TEST(RateBook, CountsTheMatrixOnceHoweverManyRoundsReadIt) {
  RateBook book;
  book.Note(Done("quantile", {.bytes_mapped = 4 << 20}, absl::Seconds(2)));
  EXPECT_DOUBLE_EQ(*book.Find("quantile", "", kLayout), 512 * 1024);
}

TEST(RateBook, LeavesOutHostsThatWaitedForAStream) {
  RateBook book;
  JobRecord job = Done("sum", {.bytes_mapped = 1 << 19}, absl::Seconds(1));
  const Traffic streamed{.bytes_streamed = 1 << 19};
  job.hosts["h2"] = {
      .workers_used = 1, .traffic = streamed, .busy = absl::Seconds(60)};
  job.traffic += streamed;
  book.Note(job);
  EXPECT_DOUBLE_EQ(*book.Find("sum", "", kLayout), 512 * 1024);
}

TEST(RateBook, LearnsNothingFromAJobThatReadNothing) {
  RateBook book;
  book.Note(Done("sum", {}, absl::Seconds(1)));
  book.Note(Done("sum", {.bytes_mapped = 1}, absl::ZeroDuration()));
  JobRecord failed = Done("sum", {.bytes_mapped = 1}, absl::Seconds(1));
  failed.state = JobState::kFailed;
  book.Note(failed);
  EXPECT_FALSE(book.Find("sum", "", kLayout).has_value());
}

TEST(RateBook, ForgetsTheOldestKind) {
  RateBook book(2);
  for (const char* operation : {"sum", "min", "max"}) {
    book.Note(Done(operation, {.bytes_mapped = 1}, absl::Seconds(1)));
  }
  EXPECT_FALSE(book.Find("sum", "", kLayout).has_value());
  EXPECT_TRUE(book.Find("min", "", kLayout).has_value());
  EXPECT_TRUE(book.Find("max", "", kLayout).has_value());
}

}  // namespace
}  // namespace hearth::server
