#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <variant>
#include <vector>

namespace hearth::client {

// What happens on the hosts of a cluster that is being started.
struct HostPrepared {
  std::size_t host = 0;
};
struct CoordinatorUp {
  std::size_t host = 0;
  std::string address;
};
struct WorkersUp {
  std::size_t host = 0;
};
struct HostFailed {
  std::size_t host = 0;
  bool coordinator_stays = false;  // its workers failed alone
};
using StartEvent =
    std::variant<HostPrepared, CoordinatorUp, WorkersUp, HostFailed>;

// What is to be done about it.
struct StartCoordinator {
  std::size_t host = 0;
  friend bool operator==(const StartCoordinator&,
                         const StartCoordinator&) = default;
};
struct StartWorkers {
  std::size_t host = 0;
  std::string coordinator;
  friend bool operator==(const StartWorkers&, const StartWorkers&) = default;
};
// The coordinator is lost after workers were told of it: nothing can stay.
struct GiveUp {
  friend bool operator==(const GiveUp&, const GiveUp&) = default;
};
using StartAction = std::variant<StartCoordinator, StartWorkers, GiveUp>;

// Decides who of the hosts gets the coordinator, and when workers start: the
// first host of the file that can; if it fails before the coordinator is up,
// the next one. Hosts that fail don't hold up the others.
//
// Kind: state machine; no thread, clock or socket in it.
class StartCore {
 public:
  explicit StartCore(std::size_t host_count);

  std::vector<StartAction> Handle(const StartEvent& event);

  // Every host has workers or has failed, or it gave up.
  bool done() const;
  std::optional<std::size_t> coordinator() const { return coordinator_; }
  const std::string& address() const { return address_; }

 private:
  enum class State { kComing, kPrepared, kStarting, kUp, kFailed };

  std::vector<StartAction> ChooseCoordinator();

  std::vector<State> hosts_;
  std::optional<std::size_t> coordinator_;
  std::string address_;  // empty until the coordinator is up
  bool gave_up_ = false;
};

}  // namespace hearth::client
