#include "worker/core/task.h"

namespace hearth::worker {
namespace {

void AddToken(const BytesRef& ref, std::vector<Id>& tokens) {
  if (ref.has_token()) tokens.push_back(ref.token);
}

}  // namespace

std::vector<Id> TokensOf(const Report& report) {
  std::vector<Id> tokens;
  if (const auto* commit = std::get_if<Commit>(&report)) {
    AddToken(commit->partial, tokens);
  } else if (const auto* ready = std::get_if<PlanReady>(&report)) {
    AddToken(ready->plan.result, tokens);
  } else if (const auto* done = std::get_if<FinishDone>(&report)) {
    if (done->next_state.has_value()) AddToken(*done->next_state, tokens);
    for (const BytesRef& result : done->results) AddToken(result, tokens);
  } else if (const auto* copied = std::get_if<SegmentCopied>(&report)) {
    if (!copied->token.zero()) tokens.push_back(copied->token);
  }
  return tokens;
}

}  // namespace hearth::worker
