#include "hearth/object/once_table.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "hearth/base/error.h"

namespace hearth {
namespace {

constexpr std::int64_t kEntryBytes = 128;

}  // namespace

OnceTable::Verdict OnceTable::Ask(const OnceId& id, std::uint64_t waiter) {
  Client& client = clients_[id.client];
  const auto found = client.entries.find(id.number);
  if (found != client.entries.end()) {
    if (found->second.result.has_value()) return *found->second.result;
    found->second.waiters.push_back(waiter);
    return IsRunning{};
  }
  if (id.number <= std::max(client.confirmed, client.lost)) {
    return absl::StatusOr<Value>(Error(
        Reason::kOutcomeUnknown,
        absl::StrCat("call number ", id.number,
                     " of a client once: it may have run, and its result was "
                     "let go since; look at the object to see whether it "
                     "did")));
  }
  client.entries[id.number];
  return Run{};
}

std::vector<std::uint64_t> OnceTable::Finish(
    const OnceId& id, const absl::StatusOr<Value>& result) {
  const auto client = clients_.find(id.client);
  if (client == clients_.end()) return {};
  const auto found = client->second.entries.find(id.number);
  if (found == client->second.entries.end()) return {};
  Entry& entry = found->second;
  entry.result = result;
  entry.bytes = kEntryBytes + (result.ok() ? result->Bytes() : 0);
  bytes_ += entry.bytes;
  finished_.push_back(id);
  std::vector<std::uint64_t> waiters = std::exchange(entry.waiters, {});
  while (bytes_ > bytes_max_ && !finished_.empty()) LetGoOfOldest();
  return waiters;
}

std::vector<std::uint64_t> OnceTable::Withdraw(const OnceId& id) {
  const auto client = clients_.find(id.client);
  if (client == clients_.end()) return {};
  const auto found = client->second.entries.find(id.number);
  if (found == client->second.entries.end()) return {};
  std::vector<std::uint64_t> waiters = std::exchange(found->second.waiters, {});
  client->second.entries.erase(found);
  return waiters;
}

void OnceTable::LetGoOfOldest() {
  const OnceId id = finished_.front();
  finished_.pop_front();
  const auto client = clients_.find(id.client);
  if (client == clients_.end()) return;
  const auto found = client->second.entries.find(id.number);
  if (found == client->second.entries.end()) return;
  bytes_ -= found->second.bytes;
  client->second.entries.erase(found);
  client->second.lost = std::max(client->second.lost, id.number);
}

void OnceTable::Confirm(const Id& id, std::uint64_t up_to) {
  const auto client = clients_.find(id);
  if (client == clients_.end()) return;
  client->second.confirmed = std::max(client->second.confirmed, up_to);
  auto& entries = client->second.entries;
  for (auto it = entries.begin(); it != entries.end() && it->first <= up_to;) {
    if (!it->second.result.has_value()) {
      ++it;  // runs still: its end is not confirmed, whatever was said
      continue;
    }
    bytes_ -= it->second.bytes;
    it = entries.erase(it);
  }
  while (!finished_.empty()) {
    const auto& oldest = finished_.front();
    const auto of = clients_.find(oldest.client);
    if (of != clients_.end() && of->second.entries.contains(oldest.number)) {
      break;
    }
    finished_.pop_front();
  }
}

void OnceTable::Forget(const Id& id) {
  const auto client = clients_.find(id);
  if (client == clients_.end()) return;
  for (const auto& [number, entry] : client->second.entries) {
    bytes_ -= entry.bytes;
  }
  clients_.erase(client);
}

std::size_t OnceTable::size() const {
  std::size_t count = 0;
  for (const auto& [id, client] : clients_) count += client.entries.size();
  return count;
}

}  // namespace hearth
