#include "client/gateway/http_reply.h"

#include <utility>

#include "absl/strings/str_cat.h"
#include "hearth/base/limits.h"

namespace hearth::client {

void HttpReply::Send(const HttpAnswer& answer) {
  if (Put(answer, /*is_last=*/false)) wake_();
}

bool HttpReply::SendLast(const HttpAnswer& answer) {
  return Put(answer, /*is_last=*/true);
}

bool HttpReply::Put(const HttpAnswer& answer, bool is_last) {
  std::scoped_lock lock(mutex_);
  if (began_ || ended_) return false;
  ended_ = true;
  keep_alive_ = keep_alive_ && !is_last;
  pending_ = FormatHead(answer, std::ssize(answer.body), keep_alive_, false);
  if (!is_head_) pending_ += answer.body;
  return true;
}

void HttpReply::Begin(const HttpAnswer& head) {
  {
    std::scoped_lock lock(mutex_);
    if (ended_) return;
    began_ = true;
    keep_alive_ = keep_alive_ && chunked_;
    pending_ = FormatHead(head, -1, keep_alive_, chunked_);
  }
  wake_();
}

bool HttpReply::Write(absl::string_view text) {
  if (text.empty()) return true;  // an empty chunk would be the last one
  {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [this] {
      return gone_ || ended_ || pending_.size() < limits::kHttpPendingBytesMax;
    });
    if (gone_ || ended_) return false;
    if (chunked_) {
      absl::StrAppend(&pending_, absl::Hex(text.size()), "\r\n", text, "\r\n");
    } else {
      absl::StrAppend(&pending_, text);
    }
  }
  wake_();
  return true;
}

void HttpReply::End() {
  {
    std::scoped_lock lock(mutex_);
    if (ended_) return;
    ended_ = true;
    if (chunked_) pending_ += "0\r\n\r\n";
  }
  wake_();
}

void HttpReply::OnGone(std::function<void()> hook) {
  {
    std::scoped_lock lock(mutex_);
    if (!gone_) {
      on_gone_ = std::move(hook);
      return;
    }
  }
  hook();
}

bool HttpReply::TakeInto(std::string& out) {
  bool is_all;
  {
    std::scoped_lock lock(mutex_);
    out += pending_;
    pending_.clear();
    is_all = ended_;
  }
  changed_.notify_all();
  return is_all;
}

bool HttpReply::keep_alive() const {
  std::scoped_lock lock(mutex_);
  return keep_alive_;
}

void HttpReply::Gone() {
  std::function<void()> hook;
  {
    std::scoped_lock lock(mutex_);
    gone_ = true;
    hook = std::move(on_gone_);
  }
  changed_.notify_all();
  if (hook) hook();
}

}  // namespace hearth::client
