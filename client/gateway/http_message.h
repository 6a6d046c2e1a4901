// HTTP/1.1 as the gateway speaks it, without a socket: bytes in, requests out.
#pragma once

#include <cstddef>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/string_view.h"

namespace hearth::client {

using HttpHeaders = std::vector<std::pair<std::string, std::string>>;

struct HttpRequest {
  std::string method;
  // Of the path, decoded: "/objects/a%2Fb" is {"objects", "a/b"}.
  std::vector<std::string> path;
  std::vector<std::pair<std::string, std::string>> query;  // decoded
  HttpHeaders headers;  // names in lower case; values trimmed
  std::string body;
  bool keep_alive = true;
  bool may_be_chunked = true;  // its sender reads HTTP/1.1
  bool expects_continue = false;

  // The value of a header, by its name in lower case; "" where it has none.
  absl::string_view Header(absl::string_view name) const;
  // It has one, be it empty.
  bool Has(absl::string_view name) const;
};

struct HttpAnswer {
  int status = 200;
  std::string body = {};
  HttpHeaders headers = {};
  std::string type = "application/json";
};

// An answer that says what was wrong, as all errors of the gateway do:
// {"error": {"type", "message", "stack", "correlation"}}.
HttpAnswer ErrorAnswer(int status, absl::string_view type,
                       absl::string_view message);

// The head of an answer, with its empty line. `length` < 0: in chunks, or to
// the end of the connection where the reader knows no chunks.
std::string FormatHead(const HttpAnswer& answer, std::ptrdiff_t length,
                       bool keep_alive, bool chunked);

// Reads requests out of what a connection brings, one after another.
//
// What is not clearly one request is refused, never guessed at: lines end with
// CRLF, nothing is folded, a length stands there once, nothing comes in chunks.
//
// Kind:    pure state. Threads: one at a time.
// Bound:   a head of limits::kHttpHeadBytesMax, the body that it was told.
class HttpReader {
 public:
  enum class State { kHead, kBody, kWhole, kRefused };

  explicit HttpReader(std::size_t body_bytes_max)
      : body_bytes_max_(body_bytes_max) {}

  State Feed(absl::string_view bytes);
  State state() const { return state_; }
  // Nothing of a next request is here yet.
  bool idle() const { return state_ == State::kHead && buffer_.empty(); }
  // From kBody on; its body at kWhole.
  const HttpRequest& request() const { return request_; }
  // kRefused: after this answer the connection can only be closed.
  const HttpAnswer& refusal() const { return refusal_; }
  // At kWhole: what was read; goes on with what came after it.
  HttpRequest Take();

 private:
  void Advance();
  void ReadHead(absl::string_view head);
  bool ReadRequestLine(absl::string_view line);
  bool ReadHeaderLine(absl::string_view line);
  bool ReadLengths();
  bool Refuse(int status, absl::string_view message);

  const std::size_t body_bytes_max_;
  State state_ = State::kHead;
  std::string buffer_;
  std::size_t searched_ = 0;  // of `buffer_`, for the end of the head
  std::size_t body_bytes_ = 0;
  HttpRequest request_;
  HttpAnswer refusal_;
};

}  // namespace hearth::client
