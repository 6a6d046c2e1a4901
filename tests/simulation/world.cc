// Time, chance and the coordinator's side.
#include "tests/simulation/world.h"

#include <algorithm>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "hearth/base/error.h"
#include "tests/simulation/model.h"
#include "tests/simulation/translate.h"

namespace hearth::simulation {
namespace {

template <class... Handlers>
struct Match : Handlers... {
  using Handlers::operator()...;
};
template <class... Handlers>
Match(Handlers...) -> Match<Handlers...>;

constexpr absl::Duration kTick = absl::Milliseconds(100);
constexpr absl::Duration kGivesUp = absl::Hours(2);

}  // namespace

server::CoordinatorOptions OptionsFor(const Scenario& scenario) {
  server::CoordinatorOptions options;
  // Partials here are 8 bytes: 16 of them are as heavy as 256 KiB.
  options.combine_bytes = 128;
  options.drop_requeue_for_test = scenario.drop_requeue;
  options.no_mending_for_test = scenario.no_mending;
  return options;
}

World::World(Scenario scenario)
    : scenario_(std::move(scenario)),
      bits_(scenario_.seed),
      core_(std::make_unique<server::CoordinatorCore>(OptionsFor(scenario_))),
      jobs_(scenario_.jobs.size()),
      generations_(static_cast<std::size_t>(scenario_.host_count)) {}
World::~World() = default;

World::Counts& World::Counts::operator+=(const Counts& other) {
  assigns += other.assigns;
  combines += other.combines;
  revokes += other.revokes;
  shrinks += other.shrinks;
  inputs_missing += other.inputs_missing;
  deaths += other.deaths;
  breaks += other.breaks;
  coordinator_deaths += other.coordinator_deaths;
  adopted += other.adopted;
  sent_again += other.sent_again;
  jobs_done += other.jobs_done;
  jobs_failed += other.jobs_failed;
  copies += other.copies;
  host_deaths += other.host_deaths;
  drains += other.drains;
  pieces += other.pieces;
  gathered += other.gathered;
  return *this;
}

// --- time and chance ---------------------------------------------------------

void World::At(absl::Time time, std::function<void()> what) {
  happenings_.push_back({time, next_order_++, std::move(what)});
  std::push_heap(happenings_.begin(), happenings_.end());
}

absl::Duration World::UpTo(absl::Duration most) {
  return most * (static_cast<double>(bits_() >> 11) * 0x1p-53);
}
absl::Duration World::Delay() {
  return absl::Microseconds(20) + UpTo(scenario_.delay_max);
}
bool World::Happens(double probability) {
  return static_cast<double>(bits_() >> 11) * 0x1p-53 < probability;
}
std::size_t World::Pick(std::size_t count) { return bits_() % count; }
Id World::NewId() { return Id{bits_(), bits_() | 1}; }

void World::Every(absl::Duration mean, void (World::*what)()) {
  if (mean == absl::InfiniteDuration()) return;
  After(UpTo(2 * mean), [this, mean, what] {
    if (troubles_over_ || now_ > absl::UnixEpoch() + scenario_.faults_end) {
      return;
    }
    (this->*what)();
    Every(mean, what);
  });
}

std::vector<std::string> World::Run() {
  for (int slot = 0; slot < scenario_.worker_count; ++slot) {
    processes_.push_back(nullptr);
    After(UpTo(absl::Milliseconds(300)), [this, slot] { Start(slot); });
  }
  for (std::size_t job = 0; job < jobs_.size(); ++job) {
    After(scenario_.jobs[job].submitted_at, [this, job] { Submit(job); });
  }
  Every(scenario_.deaths, &World::KillOne);
  Every(scenario_.breaks, &World::BreakOne);
  Every(scenario_.hangs, &World::FreezeOne);
  Every(scenario_.token_losses, &World::LoseToken);
  if (!scenario_.matrices.empty()) {
    After(absl::Seconds(1), [this] { PutMatrices(); });
  }
  for (int i = 1; i <= scenario_.host_ends_max; ++i) {
    After(i * scenario_.host_ends, [this] { EndHost(); });
  }
  Every(scenario_.coordinator_deaths, &World::KillCoordinator);
  std::function<void()> tick = [&] {
    Tell(server::TimePassed{});
    After(kTick, tick);
  };
  tick();

  std::optional<absl::Time> quiet_at;
  while (!happenings_.empty()) {
    std::pop_heap(happenings_.begin(), happenings_.end());
    Happening next = std::move(happenings_.back());
    happenings_.pop_back();
    now_ = next.at;
    next.what();

    const bool all_ended =
        std::all_of(jobs_.begin(), jobs_.end(),
                    [](const JobState& job) { return job.ended.has_value(); });
    if (!quiet_at.has_value() && all_ended) {
      // The last stories come, the last workers come back; results are
      // fetched, and nobody wants them any more.
      troubles_over_ = true;
      const absl::Time last_end =
          absl::UnixEpoch() + scenario_.host_ends_max * scenario_.host_ends;
      quiet_at = now_ + absl::Seconds(30);
      if (!scenario_.matrices.empty()) {
        quiet_at = std::max(now_, last_end) + absl::Seconds(70);
      }
      At(*quiet_at - absl::Seconds(29), [this] {
        for (const JobState& job : jobs_) {
          if (job.id.has_value()) Tell(server::ForgetJob{*job.id});
        }
        CheckMatrices();
      });
    }
    if (quiet_at.has_value() && now_ > *quiet_at) break;
    if (now_ > absl::UnixEpoch() + kGivesUp) {
      for (std::size_t job = 0; job < jobs_.size(); ++job) {
        if (jobs_[job].ended.has_value()) continue;
        const auto record = core_->FindJob(*jobs_[job].id);
        if (!record.has_value()) {
          Problem(absl::StrCat("job ", job, " is known to nobody any more"));
          continue;
        }
        Problem(absl::StrCat("job ", job, " never ended: ", record->leaves_done,
                             " of ", record->leaves_total, " leaves in round ",
                             record->round));
      }
      return problems_;
    }
  }
  if (!segments_.empty()) {
    const Segment& one = segments_.begin()->second;
    Problem(absl::StrCat(segments_.size(),
                         " segments leaked; the first one is on ", one.host,
                         one.is_open ? ", a copy that was never whole" : "",
                         one.is_partial ? ", a partial" : "",
                         one.rows.empty() ? "" : ", a result", ", token ",
                         segments_.begin()->first.ToString()));
  }
  if (core_->live_token_count() != 0) {
    Problem(absl::StrCat(core_->live_token_count(),
                         " tokens are still held to be wanted"));
  }
  return problems_;
}

// --- coordinator -------------------------------------------------------------

void World::Tell(server::Event event, std::uint64_t stream) {
  if (core_ == nullptr) return TellLater(std::move(event), stream);
  for (const server::Action& action : core_->Handle(std::move(event), now_)) {
    Keep(action);
    Do(action, stream);
  }
}

void World::Do(const server::Action& action, std::uint64_t stream) {
  std::visit(
      Match{
          [&](const server::Answer& answer) {
            if (other_calls_.erase(answer.call) > 0) {
              if (!answer.status.ok()) {
                Problem(absl::StrCat("refused: ", answer.status.message()));
              }
              return;
            }
            const auto call = job_by_call_.find(answer.call);
            if (call == job_by_call_.end()) return;
            if (!answer.status.ok()) Problem("a job was not accepted");
            jobs_[call->second].id = answer.job;
            job_by_id_[answer.job] = call->second;
          },
          [&](const server::Welcome& welcome) {
            Stream& welcomed = streams_.at(stream);
            welcomed.worker = welcome.worker;
            welcomed.epoch = welcome.epoch;
            stream_by_worker_[welcome.worker] = stream;
            SendDown(welcome.worker, [this, life = life_,
                                      welcome](const ProcessPtr& process) {
              const bool is_new = process->life != 0 && process->life != life;
              process->life = life;
              process->called = welcome.worker;
              Hear(process, worker::Joined{is_new});
              if (is_new) TellWhatItMade(process);
            });
          },
          [&](const server::Refuse& refuse) {
            const auto refused = stream_by_worker_.find(refuse.worker);
            if (refused == stream_by_worker_.end()) return;
            const auto found = streams_.find(refused->second);
            if (found == streams_.end() ||
                found->second.epoch != refuse.epoch) {
              return;
            }
            Break(refused->second, /*coordinator_knows=*/true);
          },
          [&](const server::Brief& brief) {
            SendDown(brief.worker, [this, brief](const ProcessPtr& process) {
              JobCache cache;
              cache.script = job_by_id_.at(brief.job);
              if (const auto* segment = std::get_if<server::SegmentSource>(
                      &brief.order->matrix->source)) {
                cache.matrix = segment->replicas;
              }
              if (const auto* spread = std::get_if<server::SpreadSource>(
                      &brief.order->matrix->source)) {
                cache.pieces = spread->pieces;
              }
              if (brief.plan != nullptr) {
                cache.leaf_count = brief.plan->leaf_count;
              }
              if (brief.state.has_token()) {
                const auto state = segments_.find(brief.state.token);
                if (state != segments_.end()) {
                  cache.state = state->second.value;
                } else {
                  cache.missing_state = brief.state.token;
                }
              } else if (!brief.state.inline_bytes.empty()) {
                cache.state = Decode(brief.state.inline_bytes);
              }
              if (brief.plan != nullptr) {
                cache.result = brief.plan->result.token;
                cache.hands_over = brief.plan->concatenates &&
                                   brief.plan->result.host != process->host;
              }
              process->jobs[NumberOf(brief.job)] = cache;
              worker::Briefed briefed{.job = NumberOf(brief.job),
                                      .round = brief.round};
              if (brief.plan != nullptr) {
                briefed.leaf_count = brief.plan->leaf_count;
                if (brief.plan->concatenates && !cache.hands_over) {
                  briefed.result = brief.plan->result.token;
                }
              }
              Hear(process, briefed);
            });
          },
          [&](const server::Assign& assign) {
            worker::Assigned assigned;
            for (const server::Task& task : assign.tasks) {
              assigned.tasks.push_back(ToWorker(task));
              ++counts_.assigns;
              if (task.kind == server::TaskKind::kCombine) ++counts_.combines;
            }
            SendDown(assign.worker,
                     [this, assigned](const ProcessPtr& process) {
                       Hear(process, assigned);
                     });
          },
          [&](const server::Revoke& revoke) {
            worker::Revoked revoked;
            for (const server::TaskId task : revoke.tasks) {
              revoked.tasks.push_back(NumberOf(task));
              ++counts_.revokes;
            }
            SendDown(revoke.worker, [this, revoked](const ProcessPtr& process) {
              Hear(process, revoked);
            });
          },
          [&](const server::Shrink& shrink) {
            ++counts_.shrinks;
            SendDown(shrink.worker, [this, shrink](const ProcessPtr& process) {
              Hear(process,
                   worker::Shrunk{NumberOf(shrink.task), shrink.new_end});
            });
          },
          [&](const server::ReleaseJob& release) {
            SendDown(release.worker,
                     [this, release](const ProcessPtr& process) {
                       Hear(process, worker::Released{NumberOf(release.job)});
                     });
          },
          [&](const server::Acknowledge& acknowledge) {
            SendDown(acknowledge.worker, [this, acknowledge](
                                             const ProcessPtr& process) {
              Hear(process, worker::Acknowledged{acknowledge.sequence});
            });
          },
          [&](const server::CopySegment& copy) {
            SendDown(copy.worker, [this, copy](const ProcessPtr& process) {
              Copy(process, copy);
            });
          },
          [&](const server::StopCopy& stop) {
            SendDown(stop.worker, [this, stop](const ProcessPtr& process) {
              const auto copy = process->copying.extract(stop.order);
              if (!copy.empty()) segments_.erase(copy.mapped());
            });
          },
          [&](const server::Dismiss& dismiss) {
            SendDown(dismiss.worker,
                     [this](const ProcessPtr& process) { LetGo(process); });
          },
          [&](const server::MatrixGone&) {},  // nobody copies here
          [&](const server::DropTokens& drop) {
            After(Delay(), [this, drop] {
              for (const Id& token : drop.tokens) {
                const auto found = segments_.find(token);
                if (found == segments_.end()) continue;
                if (found->second.host != drop.host) {
                  Problem("a token was to be dropped at another host");
                }
                segments_.erase(found);
              }
            });
          },
          [&](const server::JobUpdated& updated) { CheckEnded(updated.job); },
          [&](const server::JobEvicted&) {},
          [](const server::KeepMatrix&) {},
          [](const server::ForgetMatrix&) {},
          [](const server::KeepJob&) {},
      },
      action);
}

void World::Submit(std::size_t job) {
  const JobScript& script = scenario_.jobs[job];
  server::MatrixRecord matrix;
  matrix.source = server::FileSource{.path = absl::StrCat("m", job, ".npy")};
  server::SubmitJob submit{.call = next_call_++, .client_key = "", .spec = {}};
  submit.spec.operation = "hash";
  submit.spec.matrix = matrix;
  if (script.matrix.has_value()) {
    submit.spec.matrix = absl::StrCat("m", *script.matrix);
  }
  submit.spec.max_workers = script.max_workers;
  submit.spec.replay = "replay {leaves}";
  job_by_call_[submit.call] = job;
  Tell(std::move(submit));
  if (!script.cancelled_at.has_value()) return;
  After(*script.cancelled_at, [this, job] {
    if (jobs_[job].ended.has_value()) return;
    jobs_[job].cancelled = true;
    Tell(server::CancelJob{0, *jobs_[job].id});
    After(absl::Seconds(1), [this, job] { CheckCancelled(job); });
  });
}

void World::CheckEnded(server::JobId id) {
  const std::size_t job = job_by_id_.at(id);
  const auto record = core_->FindJob(id);
  if (!record.has_value() || !server::HasEnded(record->state)) return;
  JobState& state = jobs_[job];
  if (state.ended.has_value()) return Problem("a job ended twice");
  state.ended = record;
  const JobScript& script = scenario_.jobs[job];
  const auto name = absl::StrCat("job ", job);
  switch (record->state) {
    case server::JobState::kDone: {
      ++counts_.jobs_done;
      if (script.refused_leaf || script.deadly_leaf) {
        Problem(name + " is done, though it can't be");
      }
      const server::BytesRef& result = record->results.at(0);
      const auto segment = segments_.find(result.token);
      if (result.has_token() && segment == segments_.end()) {
        return Problem(name + ": the result is gone");
      }
      if (script.concatenates) {
        for (std::int64_t leaf = 0; leaf < script.leaf_count; ++leaf) {
          if (segment->second.rows[static_cast<std::size_t>(leaf)] !=
              LeafValue(job, 0, leaf)) {
            return Problem(absl::StrCat(name, ": leaf ", leaf,
                                        " of the result is not written"));
          }
        }
        return;
      }
      const std::uint64_t value = result.has_token()
                                      ? segment->second.value
                                      : Decode(result.inline_bytes);
      if (value != SerialResult(job, script.leaf_count, script.rounds)) {
        Problem(name + ": other bits than a serial run's");
      }
      return;
    }
    case server::JobState::kCancelled:
      if (!state.cancelled) Problem(name + " is cancelled, but by nobody");
      return;
    default:
      break;
  }
  ++counts_.jobs_failed;
  switch (ReasonOf(record->status)) {
    case Reason::kBadParameter:
      if (!script.refused_leaf) Problem(name + " was refused by nobody");
      return;
    case Reason::kTaskFailed:
      if (disruptions_ + state.deaths_by_leaf < 3 ||
          !absl::StrContains(record->status.message(), "Attempt 3, ")) {
        Problem(absl::StrCat(
            name, " failed before three attempts: ", record->status.message()));
      }
      return;
    case Reason::kWorkerLost:
    case Reason::kClusterEnded:
      if (scenario_.restarts && scenario_.worker_count > 1 &&
          scenario_.deaths == absl::InfiniteDuration() &&
          scenario_.hangs == absl::InfiniteDuration()) {
        Problem(name + " gave up though workers were there");
      }
      return;
    default:
      Problem(absl::StrCat(name,
                           " failed: ", std::string(record->status.message())));
  }
}

// Within a second of a cancel nobody works on it, but for those that can't
// hear.
void World::CheckCancelled(std::size_t job) {
  if (now_ - last_restart_ < absl::Seconds(3)) return;  // it came late itself
  const std::uint64_t number = NumberOf(*jobs_[job].id);
  for (const ProcessPtr& process : processes_) {
    if (process == nullptr || !process->alive || process->stream == 0) continue;
    if (process->frozen_until + absl::Seconds(1) > now_) continue;
    if (process->slowness > 1) continue;
    for (const Thread& thread : process->threads) {
      const auto* leaf = std::get_if<worker::ComputeLeaf>(&thread.step);
      if (!thread.idle && leaf != nullptr && leaf->job == number) {
        Problem(absl::StrCat("job ", job, " runs a second after its cancel"));
      }
    }
  }
}

}  // namespace hearth::simulation
