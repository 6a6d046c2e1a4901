// What a stranger sends to the gateway.
#include "client/gateway/admission.h"
#include "client/gateway/http_call.h"
#include "client/gateway/http_message.h"
#include "hearth/base/limits.h"
#include "tests/fuzz/target.h"

HEARTH_FUZZ_TARGET(http_request) {
  namespace client = hearth::client;
  using State = client::HttpReader::State;
  constexpr std::size_t kBodyBytesMax = 4096;
  client::HttpReader whole(kBodyBytesMax);
  client::HttpReader bytewise(kBodyBytesMax);
  whole.Feed(input);
  std::size_t at = 0;
  while (true) {
    while (at < input.size() && (bytewise.state() == State::kHead ||
                                 bytewise.state() == State::kBody)) {
      bytewise.Feed(input.substr(at++, 1));
    }
    // However it comes, it is read in the same way.
    hearth::fuzz::Require(whole.state() == bytewise.state());
    if (whole.state() == State::kRefused) {
      hearth::fuzz::Require(whole.refusal().status ==
                            bytewise.refusal().status);
      return;
    }
    if (whole.state() != State::kWhole) return;
    const client::HttpRequest request = whole.Take();
    hearth::fuzz::Require(request.body == bytewise.Take().body);
    hearth::fuzz::Require(request.body.size() <= kBodyBytesMax);
    hearth::fuzz::Require(request.headers.size() <=
                          hearth::limits::kHttpHeadersMax);
    // Nobody comes in without the token.
    const auto refused =
        client::Refused(request, {.token = "a token nobody has typed"});
    hearth::fuzz::Require(refused.has_value());
    if (client::CallOptionsOf(request).ok()) {
      (void)client::ArgumentsOfQuery(request);
    }
    (void)client::ArgumentsOfBody(request.body);
  }
}
