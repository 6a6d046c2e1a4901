#pragma once

#include <functional>
#include <memory>
#include <optional>

#include "absl/status/statusor.h"
#include "client/gateway/http_connection.h"
#include "hearth/base/unique_fd.h"

namespace hearth::client {

struct HttpServerOptions {
  UniqueFd listener;
  // Looked at before a body is read. Quick: it holds everybody up.
  std::function<std::optional<HttpAnswer>(const HttpRequest&)> admit;
  // Answers; on one of limits::kHttpCallsMax threads, where it may block.
  std::function<void(HttpRequest request, HttpReply& reply)> handle;
  HttpTimes times = {};
};

// Serves HTTP/1.1 until it is destroyed. Clients that say nothing, or slowly,
// cost one of limits::kHttpConnectionsMax places and no thread; the oldest of
// them makes room for who comes.
//
// Kind:    resource; its destructor hangs up, and waits for `handle`, whose
//          HttpReply::OnGone has been called.
// Threads: one for all connections, and those that handle.
class HttpServer {
 public:
  static absl::StatusOr<std::unique_ptr<HttpServer>> Start(
      HttpServerOptions options);
  ~HttpServer();

 private:
  struct Parts;
  explicit HttpServer(std::unique_ptr<Parts> parts);
  std::unique_ptr<Parts> parts_;
};

}  // namespace hearth::client
