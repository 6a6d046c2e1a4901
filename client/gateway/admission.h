#pragma once

#include <optional>
#include <string>
#include <vector>

#include "client/gateway/http_message.h"

namespace hearth::client {

// Whose requests are listened to at all.
struct AdmissionRules {
  // Names that this host is reached by, beside localhost and IP addresses. A
  // page of another name that was made to lead here (DNS rebinding) is not
  // this host's.
  std::vector<std::string> host_names = {};
  std::string token = {};  // empty: everybody's
};

// None for who may come in; else what he is told. Looked at before the body is
// read: who has no token costs no more than a head.
std::optional<HttpAnswer> Refused(const HttpRequest& request,
                                  const AdmissionRules& rules);

}  // namespace hearth::client
