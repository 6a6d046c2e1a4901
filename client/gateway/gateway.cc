#include "client/gateway/gateway.h"

#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <utility>

#include "absl/strings/str_cat.h"
#include "client/gateway/admission.h"
#include "client/gateway/exchange.h"
#include "client/gateway/http_server.h"
#include "client/gateway/token_file.h"
#include "hearth/base/error.h"
#include "hearth/base/status.h"
#include "hearth/base/tcp_socket.h"

namespace hearth::client {
namespace {

bool IsLoopback(int listener) {
  sockaddr_storage bound{};
  socklen_t size = sizeof(bound);
  if (getsockname(listener, reinterpret_cast<sockaddr*>(&bound), &size) != 0) {
    return false;
  }
  if (bound.ss_family == AF_INET) {
    const auto& v4 = reinterpret_cast<const sockaddr_in&>(bound);
    return (ntohl(v4.sin_addr.s_addr) >> 24) == 127;
  }
  const auto& v6 = reinterpret_cast<const sockaddr_in6&>(bound);
  return IN6_IS_ADDR_LOOPBACK(&v6.sin6_addr);
}

}  // namespace

// In the order of building; ended in the reverse one.
struct Gateway::Parts {
  Objects objects;
  AdmissionRules rules;
  std::unique_ptr<HttpServer> server = nullptr;
};

Gateway::Gateway(std::unique_ptr<Parts> parts) : parts_(std::move(parts)) {}
Gateway::~Gateway() = default;

absl::StatusOr<std::unique_ptr<Gateway>> Gateway::Start(
    Objects objects, GatewayOptions options) {
  if (options.listen.local()) {
    return Error(Reason::kBadUsage,
                 absl::StrCat("serve HTTP at ", options.listen.ToString(),
                              ": it is no host:port; give one, like "
                              "127.0.0.1:8080"));
  }
  HEARTH_ASSIGN_OR_RETURN(TcpListener listener, ListenTcp(options.listen));
  if (!options.insecure && !IsLoopback(listener.fd.get())) {
    return Error(Reason::kNotAllowed,
                 absl::StrCat("serve HTTP at ", options.listen.ToString(),
                              ": the token and all calls would cross the "
                              "network readably; listen on 127.0.0.1 behind a "
                              "proxy that speaks TLS, or say --insecure"));
  }
  AdmissionRules rules{.host_names = {options.listen.name}};
  std::string own(256, '\0');
  if (gethostname(own.data(), own.size() - 1) == 0) {
    rules.host_names.emplace_back(own.c_str());
  }
  if (!options.token_file.empty()) {
    HEARTH_ASSIGN_OR_RETURN(rules.token, TokenIn(options.token_file));
  }
  auto parts = std::make_unique<Parts>(
      Parts{.objects = std::move(objects), .rules = std::move(rules)});
  Parts& running = *parts;
  HEARTH_ASSIGN_OR_RETURN(
      parts->server,
      HttpServer::Start({.listener = std::move(listener.fd),
                         .admit =
                             [&running](const HttpRequest& request) {
                               return Refused(request, running.rules);
                             },
                         .handle =
                             [&running](HttpRequest request, HttpReply& reply) {
                               Answer(running.objects, std::move(request),
                                      reply);
                             }}));
  std::unique_ptr<Gateway> gateway(new Gateway(std::move(parts)));
  gateway->url_ = absl::StrCat("http://", listener.address.ToString());
  return gateway;
}

}  // namespace hearth::client
