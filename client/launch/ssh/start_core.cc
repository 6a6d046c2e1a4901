#include "client/launch/ssh/start_core.h"

#include <algorithm>

namespace hearth::client {

StartCore::StartCore(std::size_t host_count)
    : hosts_(host_count, State::kComing) {}

std::vector<StartAction> StartCore::Handle(const StartEvent& event) {
  if (const auto* prepared = std::get_if<HostPrepared>(&event)) {
    if (hosts_[prepared->host] != State::kComing) return {};
    hosts_[prepared->host] = State::kPrepared;
    if (address_.empty()) return ChooseCoordinator();
    hosts_[prepared->host] = State::kStarting;
    return {StartWorkers{prepared->host, address_}};
  }
  if (const auto* up = std::get_if<CoordinatorUp>(&event)) {
    if (coordinator_ != up->host || !address_.empty()) return {};
    address_ = up->address;
    std::vector<StartAction> actions;
    for (std::size_t host = 0; host < hosts_.size(); ++host) {
      if (hosts_[host] != State::kPrepared) continue;
      hosts_[host] = State::kStarting;
      actions.emplace_back(StartWorkers{host, address_});
    }
    return actions;
  }
  if (const auto* workers = std::get_if<WorkersUp>(&event)) {
    hosts_[workers->host] = State::kUp;
    return {};
  }
  const auto [failed, coordinator_stays] = std::get<HostFailed>(event);
  if (hosts_[failed] == State::kUp) return {};  // it has what it needs
  hosts_[failed] = State::kFailed;
  if (coordinator_stays) return {};
  if (coordinator_ == failed && !address_.empty()) {
    gave_up_ = true;
    return {GiveUp{}};
  }
  if (coordinator_ == failed) coordinator_.reset();
  return address_.empty() ? ChooseCoordinator() : std::vector<StartAction>{};
}

std::vector<StartAction> StartCore::ChooseCoordinator() {
  if (coordinator_.has_value()) return {};
  const auto first =
      std::find_if(hosts_.begin(), hosts_.end(),
                   [](State state) { return state != State::kFailed; });
  // The first one that has not failed may still be coming: it is waited for.
  if (first == hosts_.end() || *first != State::kPrepared) return {};
  coordinator_ = static_cast<std::size_t>(first - hosts_.begin());
  return {StartCoordinator{*coordinator_}};
}

bool StartCore::done() const {
  return gave_up_ || std::all_of(hosts_.begin(), hosts_.end(), [](State state) {
           return state == State::kUp || state == State::kFailed;
         });
}

}  // namespace hearth::client
