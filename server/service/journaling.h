#pragma once

#include <map>
#include <memory>
#include <optional>
#include <string>
#include <utility>

#include "absl/status/status.h"
#include "server/core/coordinator_core.h"
#include "server/service/journal_wire.h"

namespace hearth::server {

// What the core wants kept, gathered from its actions and written before its
// answer is given. Without a journal it does nothing.
//
// Kind: resource, single-threaded. What could not be written is tried again
//       with whatever comes next.
class Journaling {
 public:
  explicit Journaling(std::unique_ptr<Journal> journal)
      : journal_(std::move(journal)) {}

  bool is_on() const { return journal_ != nullptr; }
  bool has_changes() const { return !waiting_.empty(); }

  void Note(const Action& action, const CoordinatorCore& core,
            const Moment& now);
  void NoteNumber(const std::string& name, std::uint64_t number);
  // Fails when a matrix noted since the last call could not be written: whoever
  // put it has to know. A job goes on without, and without one noted before.
  absl::Status Flush();

 private:
  void Change(Journal::Change change);

  std::unique_ptr<Journal> journal_;
  std::map<std::pair<Journal::Kind, std::string>, std::optional<std::string>>
      waiting_;
  std::uint64_t next_worker_ = 0;
  bool is_failing_ = false;
  bool has_noted_matrix_ = false;  // since the last Flush
};

}  // namespace hearth::server
