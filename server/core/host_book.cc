#include "server/core/host_book.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"

namespace hearth::server {

void HostBook::Arrived(const std::string& host) {
  Host& entry = hosts_[host];
  entry.missing_since.reset();
  if (std::exchange(entry.lost, false)) std::erase(lost_, host);
}

void HostBook::Emptied(const std::string& host, std::string who,
                       absl::Time now) {
  Host& entry = hosts_[host];
  entry.missing_since = now;
  entry.who = std::move(who);
  missing_.emplace(now, host);
}

void HostBook::Left(const std::string& host) {
  Host& entry = hosts_[host];
  entry.missing_since.reset();
  if (!entry.lost) MarkLost(host, entry);
}

void HostBook::MarkLost(const std::string& host, Host& entry) {
  entry.lost = true;
  entry.free_bytes = 0;
  lost_.push_back(host);
  if (lost_.size() <= kLostMax) return;
  hosts_.erase(lost_.front());
  lost_.erase(lost_.begin());
}

std::vector<std::string> HostBook::TakeLost(absl::Time now) {
  std::vector<std::string> lost;
  while (!missing_.empty() && missing_.begin()->first + grace_ <= now) {
    const auto [since, host] = *missing_.begin();
    missing_.erase(missing_.begin());
    const auto found = hosts_.find(host);
    // It came back, or came back and went again.
    if (found == hosts_.end() || found->second.missing_since != since) continue;
    lost.push_back(host);
    MarkLost(host, found->second);
  }
  return lost;
}

bool HostBook::IsLost(const std::string& host) const {
  const auto found = hosts_.find(host);
  return found != hosts_.end() && found->second.lost;
}

std::string HostBook::Describe(const std::string& host) const {
  const auto found = hosts_.find(host);
  if (found == hosts_.end() || found->second.who.empty()) {
    return absl::StrCat("host ", host, ", which is not there");
  }
  return absl::StrCat("the host of ", found->second.who);
}

void HostBook::NoteFree(const std::string& host, std::int64_t bytes) {
  hosts_[host].free_bytes = std::clamp<std::int64_t>(bytes, 0, kFreeBytesMax);
}

void HostBook::Promise(const std::string& host, std::int64_t bytes) {
  hosts_[host].promised_bytes += bytes;
}

void HostBook::Unpromise(const std::string& host, std::int64_t bytes) {
  const auto found = hosts_.find(host);
  if (found == hosts_.end()) return;
  std::int64_t& promised = found->second.promised_bytes;
  promised = std::max<std::int64_t>(0, promised - bytes);
}

std::int64_t HostBook::FreeAt(const std::string& host) const {
  const auto found = hosts_.find(host);
  if (found == hosts_.end()) return 0;
  return std::max<std::int64_t>(
      0, found->second.free_bytes - found->second.promised_bytes);
}

}  // namespace hearth::server
