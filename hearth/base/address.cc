#include "hearth/base/address.h"

#include <sys/un.h>

#include <algorithm>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "hearth/base/error.h"

namespace hearth {
namespace {

// One byte of sun_path is the NUL: behind a path, before an abstract name.
constexpr std::size_t kUnixNameBytesMax = sizeof(sockaddr_un::sun_path) - 1;

absl::Status Refused(absl::string_view text, absl::string_view finding) {
  return Error(Reason::kBadUsage,
               absl::StrCat("read address \"", text, "\": ", finding,
                            "; write host:port, unix:PATH or "
                            "unix-abstract:NAME"));
}

absl::StatusOr<Address> ParseUnix(absl::string_view text,
                                  absl::string_view name, Address::Kind kind) {
  if (name.empty()) return Refused(text, "nothing after the colon");
  if (name.size() > kUnixNameBytesMax) {
    return Refused(text, absl::StrCat("longer than ", kUnixNameBytesMax,
                                      " bytes, the most a Unix socket takes"));
  }
  if (name.find('\0') != absl::string_view::npos) {
    return Refused(text, "a NUL byte inside");
  }
  return Address{kind, std::string(name), 0};
}

}  // namespace

absl::StatusOr<Address> Address::Parse(absl::string_view text) {
  if (absl::string_view name = text;
      absl::ConsumePrefix(&name, "unix-abstract:")) {
    return ParseUnix(text, name, Kind::kUnixAbstract);
  }
  if (absl::string_view path = text; absl::ConsumePrefix(&path, "unix:")) {
    return ParseUnix(text, path, Kind::kUnixPath);
  }
  const std::size_t colon = text.rfind(':');
  if (colon == absl::string_view::npos) return Refused(text, "no port");
  absl::string_view host = text.substr(0, colon);
  if (host.size() > 2 && host.front() == '[' && host.back() == ']') {
    host = host.substr(1, host.size() - 2);
    if (host.find(':') == absl::string_view::npos) {
      return Refused(text, "what stands in brackets is no IPv6 address");
    }
  } else if (host.find(':') != absl::string_view::npos) {
    return Refused(text, "an IPv6 address stands in brackets");
  }
  if (host.empty()) return Refused(text, "no host");
  if (std::any_of(host.begin(), host.end(), [](char c) {
        return c <= ' ' || c == '\x7f' || c == '[' || c == ']';
      })) {
    return Refused(text, "its host is no name and no address");
  }
  std::uint32_t port = 0;
  if (!absl::SimpleAtoi(text.substr(colon + 1), &port) || port > 65535) {
    return Refused(text, "its port is not a number from 0 to 65535");
  }
  return Address{Kind::kTcp, std::string(host),
                 static_cast<std::uint16_t>(port)};
}

Address Address::Abstract(absl::string_view name) {
  return Address{Kind::kUnixAbstract, std::string(name), 0};
}

std::string Address::ToString() const {
  switch (kind) {
    case Kind::kUnixPath:
      return absl::StrCat("unix:", name);
    case Kind::kUnixAbstract:
      return absl::StrCat("unix-abstract:", name);
    case Kind::kTcp:
      break;
  }
  if (name.find(':') != std::string::npos) {
    return absl::StrCat("[", name, "]:", port);
  }
  return absl::StrCat(name, ":", port);
}

}  // namespace hearth
