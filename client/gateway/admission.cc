#include "client/gateway/admission.h"

#include <arpa/inet.h>

#include <algorithm>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "hearth/base/quoted.h"

namespace hearth::client {
namespace {

bool IsPort(absl::string_view text) {
  return text.size() <= 5 && std::all_of(text.begin(), text.end(), [](char c) {
           return absl::ascii_isdigit(static_cast<unsigned char>(c));
         });
}

// "Host: NAME:PORT" without its port; "" for what is none.
std::string NameOf(absl::string_view host) {
  std::string name;
  if (absl::ConsumePrefix(&host, "[")) {
    const std::size_t end = host.find(']');
    if (end == absl::string_view::npos) return "";
    name = std::string(host.substr(0, end));
    in6_addr bytes{};
    if (inet_pton(AF_INET6, name.c_str(), &bytes) != 1) return "";
    host.remove_prefix(end + 1);
  } else {
    name = absl::AsciiStrToLower(host.substr(0, host.find(':')));
    host.remove_prefix(name.size());
  }
  const bool is_all =
      host.empty() || (absl::ConsumePrefix(&host, ":") && IsPort(host));
  return is_all ? name : "";
}

bool IsNumeric(const std::string& name) {
  in6_addr bytes{};
  return inet_pton(AF_INET, name.c_str(), &bytes) == 1 ||
         inet_pton(AF_INET6, name.c_str(), &bytes) == 1;
}

bool IsOurs(const std::string& name, const AdmissionRules& rules) {
  if (name.empty()) return false;
  return name == "localhost" || IsNumeric(name) ||
         std::any_of(rules.host_names.begin(), rules.host_names.end(),
                     [&](const std::string& known) {
                       return absl::AsciiStrToLower(known) == name;
                     });
}

// In a time that does not tell how much of it is right.
bool Same(absl::string_view given, absl::string_view token) {
  unsigned different = given.size() == token.size() ? 0 : 1;
  for (std::size_t at = 0; at < given.size(); ++at) {
    different |= static_cast<unsigned char>(given[at]) ^
                 static_cast<unsigned char>(token[at % token.size()]);
  }
  return different == 0;
}

}  // namespace

std::optional<HttpAnswer> Refused(const HttpRequest& request,
                                  const AdmissionRules& rules) {
  const absl::string_view host = request.Header("host");
  if (host.empty() && (request.may_be_chunked || request.Has("host"))) {
    return ErrorAnswer(400, "bad-usage", "read the request: it names no Host");
  }
  if (!host.empty() && !IsOurs(NameOf(host), rules)) {
    return ErrorAnswer(421, "not-allowed",
                       absl::StrCat("serve host ", Quoted(host),
                                    ": this gateway is not called so; use its "
                                    "address, or give --http that name"));
  }
  absl::string_view origin = request.Header("origin");
  if (request.Has("origin") && !((absl::ConsumePrefix(&origin, "http://") ||
                                  absl::ConsumePrefix(&origin, "https://")) &&
                                 origin == host)) {
    return ErrorAnswer(
        403, "not-allowed",
        absl::StrCat("serve a page of ", Quoted(request.Header("origin")),
                     ": only pages of this host may ask"));
  }
  if (rules.token.empty()) return std::nullopt;
  absl::string_view given = request.Header("authorization");
  constexpr absl::string_view kScheme = "bearer ";
  if (absl::StartsWithIgnoreCase(given, kScheme)) {
    given.remove_prefix(kScheme.size());
    if (Same(absl::StripAsciiWhitespace(given), rules.token)) {
      return std::nullopt;
    }
  }
  HttpAnswer answer = ErrorAnswer(
      401, "not-allowed",
      absl::StrCat("serve a request: it has ",
                   given.empty() ? "no token" : "another token",
                   "; send \"Authorization: Bearer TOKEN\" with what is in the "
                   "file that the coordinator named when it was ready"));
  answer.headers = {{"WWW-Authenticate", "Bearer realm=\"hearth\""}};
  return answer;
}

}  // namespace hearth::client
