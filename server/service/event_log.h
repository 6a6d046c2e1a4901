#pragma once

#include <map>
#include <string>

#include "server/core/actions.h"
#include "server/core/coordinator_core.h"
#include "server/core/events.h"

namespace hearth::server {

// What an operator wants to read of a coordinator's life: workers that come and
// go, matrices, jobs and how they ended. Writes by Log, nothing where that does
// not.
//
// Kind: value, single-threaded.
class EventLog {
 public:
  // Before the core handles it.
  void Hear(const Event& event);
  // In order, once the core has handled an event.
  void Note(const Action& action, const CoordinatorCore& core);
  // After those.
  void LookAtMembers(const CoordinatorCore& core);

 private:
  void NoteJob(JobId job, const CoordinatorCore& core);

  std::map<WorkerId, WorkerState> members_;  // as they were told last
  std::map<JobId, JobState> jobs_;
  std::string last_story_;
};

}  // namespace hearth::server
