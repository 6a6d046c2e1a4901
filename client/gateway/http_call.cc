#include "client/gateway/http_call.h"

#include <algorithm>
#include <nlohmann/json.hpp>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/strip.h"
#include "hearth/base/error.h"
#include "hearth/base/id.h"
#include "hearth/base/quoted.h"
#include "hearth/base/status.h"
#include "hearth/object/call_error.h"
#include "hearth/object/json.h"

namespace hearth::client {
namespace {

constexpr std::size_t kCorrelationBytesMax = 200;
constexpr absl::Duration kHttpCallTimeMin = absl::Milliseconds(1);

const Value* Field(const Value::Map& map, absl::string_view key) {
  for (const auto& [name, value] : map) {
    const auto* text = name.get<std::string>();
    if (text != nullptr && *text == key) return &value;
  }
  return nullptr;
}

std::string TextField(const Value::Map& map, absl::string_view key) {
  const Value* value = Field(map, key);
  const auto* text = value == nullptr ? nullptr : value->get<std::string>();
  return text == nullptr ? "" : *text;
}

struct Parameters {
  std::vector<std::string> names;  // in order
  std::vector<bool> optional;      // whether each may be left out
};

Parameters ParametersOf(const Value::Map& method) {
  Parameters parameters;
  const Value* list = Field(method, "parameters");
  const auto* items = list == nullptr ? nullptr : list->get<Value::List>();
  if (items == nullptr) return parameters;
  for (const Value& item : *items) {
    const auto* of = item.get<Value::Map>();
    parameters.names.push_back(of == nullptr ? "" : TextField(*of, "name"));
    parameters.optional.push_back(of != nullptr && HasMark(*of, "optional"));
  }
  return parameters;
}

}  // namespace

absl::Status CheckReach(absl::string_view name) {
  const auto refuse = [&](Reason reason, absl::string_view finding) {
    return Error(reason, absl::StrCat("reach object ", Quoted(name),
                                      " over HTTP: ", finding));
  };
  if (name.empty()) {
    return refuse(Reason::kBadUsage,
                  "it has no name; say one, as in /objects/NAME");
  }
  if (absl::StartsWith(name, "_python.")) {
    return refuse(Reason::kNotAllowed,
                  "functions are sent by members only; connect to the cluster "
                  "as one");
  }
  if (name[0] == '_' || name[0] == '$') {
    return refuse(Reason::kNotAllowed,
                  "names that begin with \"_\" or \"$\" are for members only; "
                  "connect to the cluster as one, or give it another name");
  }
  return absl::OkStatus();
}

absl::Status CheckHandles(const Value& value) {
  if (const auto* object = value.get<ObjectHandle>()) {
    return CheckReach(object->name);
  }
  if (const auto* list = value.get<Value::List>()) {
    for (const Value& one : *list) HEARTH_RETURN_IF_ERROR(CheckHandles(one));
  } else if (const auto* map = value.get<Value::Map>()) {
    for (const auto& [key, one] : *map) {
      HEARTH_RETURN_IF_ERROR(CheckHandles(one));
    }
  }
  return absl::OkStatus();
}

absl::StatusOr<CallOptions> CallOptionsOf(const HttpRequest& request) {
  CallOptions options{.timeout = kHttpCallTime};
  const absl::string_view timeout = request.Header("hearth-timeout");
  if (request.Has("hearth-timeout")) {
    const bool is_decimal =
        std::all_of(timeout.begin(), timeout.end(), [](char c) {
          return absl::ascii_isdigit(static_cast<unsigned char>(c)) || c == '.';
        });
    double seconds = 0;
    if (!is_decimal || !absl::SimpleAtod(timeout, &seconds) ||
        seconds < absl::ToDoubleSeconds(kHttpCallTimeMin) ||
        seconds > absl::ToDoubleSeconds(kHttpCallTimeMax)) {
      return Error(
          Reason::kBadUsage,
          absl::StrCat("call an object: Hearth-Timeout ", Quoted(timeout),
                       " is no number of seconds from ",
                       absl::ToDoubleSeconds(kHttpCallTimeMin), " to ",
                       absl::ToInt64Seconds(kHttpCallTimeMax)));
    }
    options.timeout = absl::Seconds(seconds);
  }
  options.correlation = std::string(request.Header("hearth-correlation-id"));
  if (options.correlation.size() > kCorrelationBytesMax) {
    return Error(Reason::kBadUsage,
                 absl::StrCat("call an object: Hearth-Correlation-Id has ",
                              options.correlation.size(),
                              " bytes, the most is ", kCorrelationBytesMax));
  }
  if (options.correlation.empty()) {
    options.correlation = Id::Random().ToString();
  }
  for (const auto& [name, value] : request.headers) {
    absl::string_view key = name;
    if (absl::ConsumePrefix(&key, "hearth-meta-") && !key.empty()) {
      options.metadata[std::string(key)] = value;
    }
  }
  return options;
}

absl::StatusOr<bool> IsOneway(const HttpRequest& request) {
  if (!request.Has("hearth-oneway")) return false;
  const absl::string_view said = request.Header("hearth-oneway");
  for (const absl::string_view yes : {"true", "1"}) {
    if (absl::EqualsIgnoreCase(said, yes)) return true;
  }
  for (const absl::string_view no : {"false", "0"}) {
    if (absl::EqualsIgnoreCase(said, no)) return false;
  }
  return Error(Reason::kBadUsage,
               absl::StrCat("call an object: Hearth-Oneway is ", Quoted(said),
                            "; say true or false"));
}

std::string WithArticle(absl::string_view type) {
  if (type == "null" || type == "bytes") return std::string(type);
  const bool is_vowel = absl::StrContains("aeio", type.substr(0, 1));
  return absl::StrCat(is_vowel ? "an " : "a ", type);
}

absl::StatusOr<HttpArguments> ArgumentsOfBody(absl::string_view body) {
  HttpArguments arguments;
  if (body.empty()) return arguments;
  HEARTH_ASSIGN_OR_RETURN(Value value, FromJson(body));
  HEARTH_RETURN_IF_ERROR(CheckHandles(value));
  if (auto* list = value.get<Value::List>()) {
    arguments.values = std::move(*list);
    return arguments;
  }
  auto* map = value.get<Value::Map>();
  if (map == nullptr) {
    return Error(Reason::kBadUsage,
                 absl::StrCat("read the arguments: the body is ",
                              WithArticle(value.TypeName()),
                              "; send a list of them, or an object with the "
                              "parameters' names"));
  }
  arguments.named = true;
  for (auto& [name, argument] : *map) {
    arguments.names.push_back(*name.get<std::string>());
    arguments.values.push_back(std::move(argument));
  }
  return arguments;
}

absl::StatusOr<HttpArguments> ArgumentsOfQuery(const HttpRequest& request) {
  HttpArguments arguments{.named = !request.query.empty()};
  for (const auto& [name, text] : request.query) {
    absl::StatusOr<Value> value = FromJson(text);
    if (value.ok()) HEARTH_RETURN_IF_ERROR(CheckHandles(*value));
    arguments.names.push_back(name);
    arguments.values.push_back(value.ok() ? *std::move(value) : Value(text));
  }
  return arguments;
}

const Value::Map* MethodIn(const Value& description, absl::string_view method) {
  const auto* of = description.get<Value::Map>();
  const Value* methods = of == nullptr ? nullptr : Field(*of, "methods");
  const auto* list = methods == nullptr ? nullptr : methods->get<Value::List>();
  if (list == nullptr) return nullptr;
  for (const Value& item : *list) {
    const auto* map = item.get<Value::Map>();
    if (map != nullptr && TextField(*map, "name") == method) return map;
  }
  return nullptr;
}

bool HasMark(const Value::Map& method, absl::string_view mark) {
  const Value* value = Field(method, mark);
  const bool* is_marked = value == nullptr ? nullptr : value->get<bool>();
  return is_marked != nullptr && *is_marked;
}

absl::StatusOr<std::vector<Value>> InOrder(HttpArguments arguments,
                                           absl::string_view name,
                                           const Value::Map& method) {
  if (!arguments.named) return std::move(arguments.values);
  const auto [names, optional] = ParametersOf(method);
  const auto refuse = [&, &all = names](absl::string_view parameter,
                                        absl::string_view finding) {
    return Error(
        Reason::kBadParameter,
        absl::StrCat("call ", name, ": parameter ", Quoted(parameter), finding,
                     "; it takes (", absl::StrJoin(all, ", "), ")"));
  };
  std::vector<Value> ordered(names.size());
  std::vector<bool> is_given(names.size());
  std::size_t count = 0;  // up to the last one that is given
  for (std::size_t at = 0; at < arguments.names.size(); ++at) {
    const auto found =
        std::find(names.begin(), names.end(), arguments.names[at]);
    if (found == names.end()) {
      return refuse(arguments.names[at], " is none of its own");
    }
    const auto place = static_cast<std::size_t>(found - names.begin());
    if (is_given[place]) return refuse(*found, " is given twice");
    is_given[place] = true;
    ordered[place] = std::move(arguments.values[at]);
    count = std::max(count, place + 1);
  }
  for (std::size_t at = 0; at < names.size(); ++at) {
    if (is_given[at]) continue;
    if (!optional[at]) return refuse(names[at], " is missing");
    // Values travel by position: nothing can stand for one in between.
    if (at < count) {
      return refuse(names[at],
                    absl::StrCat(" is missing: it may be left out only with "
                                 "all that follow it, and ",
                                 Quoted(names[count - 1]), " is given"));
    }
  }
  ordered.resize(count);
  return ordered;
}

std::string ErrorJson(const absl::Status& status) {
  using Json = nlohmann::ordered_json;
  const Json body = {{"error",
                      {{"type", TypeOf(status)},
                       {"message", std::string(status.message())},
                       {"stack", StackOf(status)},
                       {"correlation", CorrelationOf(status)}}}};
  return body.dump(-1, ' ', false, Json::error_handler_t::replace);
}

int HttpStatusOf(const absl::Status& status) {
  if (HasType(status)) return 500;  // the class's own
  switch (ReasonOf(status)) {
    case Reason::kBadUsage:
    case Reason::kBadParameter:
    case Reason::kTooLarge:
      return 400;
    case Reason::kNotAllowed:
      return 403;
    case Reason::kNameUnknown:
      // The method's own, where it ran.
      return StackOf(status).empty() ? 404 : 500;
    case Reason::kObjectGone:
    case Reason::kQueueFull:
    case Reason::kWorkerLost:
    case Reason::kClusterUnreachable:
    case Reason::kClusterEnded:
      return 503;
    case Reason::kDeadlineExceeded:
      return 504;
    default:
      return 500;
  }
}

}  // namespace hearth::client
