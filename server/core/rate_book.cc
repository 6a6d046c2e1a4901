#include "server/core/rate_book.h"

#include "absl/strings/str_cat.h"

namespace hearth::server {
namespace {

// Two jobs are of a kind when a row block costs them the same.
std::string KindOf(const std::string& operation, const std::string& arguments,
                   const MatrixLayout& layout) {
  const Shape shape = layout.StorageShape();
  const std::int64_t slice =
      shape.empty() || shape[0] == 0 ? 1 : layout.element_count() / shape[0];
  return absl::StrCat(operation, "\n", static_cast<int>(layout.type),
                      static_cast<int>(layout.byte_order),
                      static_cast<int>(layout.order), "\n", slice, "\n",
                      arguments);
}

}  // namespace

void RateBook::Note(const JobRecord& job) {
  if (job.state != JobState::kDone) return;
  Traffic in_place;
  absl::Duration busy;
  for (const auto& [host, share] : job.hosts) {
    if (share.traffic.bytes_streamed > 0) continue;
    in_place += share.traffic;
    busy += share.busy;
  }
  const auto read = static_cast<double>(job.traffic.bytes_mapped +
                                        job.traffic.bytes_streamed);
  const double seconds = absl::ToDoubleSeconds(busy);
  if (in_place.bytes_mapped <= 0 || read <= 0 || seconds <= 0) return;
  const MatrixLayout& layout = job.order->matrix->layout;
  // Several rounds read the matrix several times.
  const double part = static_cast<double>(in_place.bytes_mapped) / read;
  const std::string kind =
      KindOf(job.order->operation, job.order->arguments, layout);
  const double rate = static_cast<double>(layout.bytes()) * part / seconds;
  if (!rates_.insert_or_assign(kind, rate).second) return;
  oldest_first_.push_back(kind);
  if (oldest_first_.size() <= kinds_max_) return;
  rates_.erase(oldest_first_.front());
  oldest_first_.pop_front();
}

std::optional<double> RateBook::Find(const std::string& operation,
                                     const std::string& arguments,
                                     const MatrixLayout& layout) const {
  const auto found = rates_.find(KindOf(operation, arguments, layout));
  if (found == rates_.end()) return std::nullopt;
  return found->second;
}

}  // namespace hearth::server
