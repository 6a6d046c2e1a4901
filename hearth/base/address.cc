#include "hearth/base/address.h"

#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "hearth/base/error.h"
#include "hearth/base/id.h"

namespace hearth {
namespace {

constexpr absl::string_view kAbstractPrefix = "unix-abstract:";
constexpr absl::string_view kPathPrefix = "unix:";
constexpr std::size_t kUnixNameBytesMax = 107;  // sizeof(sun_path) - 1

}  // namespace

absl::StatusOr<Address> Address::Parse(absl::string_view text) {
  absl::string_view rest = text;
  Address address;
  if (absl::ConsumePrefix(&rest, kAbstractPrefix)) {
    address.kind = Kind::kAbstract;
  } else if (absl::ConsumePrefix(&rest, kPathPrefix)) {
    address.kind = Kind::kPath;
  } else {
    address.kind = Kind::kTcp;
    const std::size_t colon = rest.rfind(':');
    std::uint32_t port = 0;
    if (colon == absl::string_view::npos || colon == 0 ||
        !absl::SimpleAtoi(rest.substr(colon + 1), &port) || port > 65535) {
      return Error(Reason::kBadUsage,
                   absl::StrCat("read the address \"", text,
                                "\": it is none of unix-abstract:NAME, "
                                "unix:PATH and host:port"));
    }
  }
  if (address.kind != Kind::kTcp &&
      (rest.empty() || rest.size() > kUnixNameBytesMax)) {
    return Error(Reason::kBadUsage,
                 absl::StrCat("read the address \"", text, "\": its name has ",
                              rest.size(), " bytes; use 1 to ",
                              kUnixNameBytesMax));
  }
  address.name = std::string(rest);
  return address;
}

Address Address::RandomAbstract() {
  return {Kind::kAbstract, absl::StrCat("hearth-", Id::Random().ToString())};
}

std::string Address::ToString() const {
  switch (kind) {
    case Kind::kAbstract:
      return absl::StrCat(kAbstractPrefix, name);
    case Kind::kPath:
      return absl::StrCat(kPathPrefix, name);
    case Kind::kTcp:
      break;
  }
  return name;
}

}  // namespace hearth
