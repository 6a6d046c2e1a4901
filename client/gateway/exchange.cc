#include "client/gateway/exchange.h"

#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "client/gateway/http_call.h"
#include "hearth/base/error.h"
#include "hearth/base/limits.h"
#include "hearth/base/quoted.h"
#include "hearth/base/status.h"
#include "hearth/object/call_error.h"
#include "hearth/object/json.h"

namespace hearth::client {
namespace {

using Json = nlohmann::ordered_json;

HttpAnswer JsonAnswer(int status, std::string body) {
  return {.status = status, .body = std::move(body) + "\n"};
}

HttpAnswer NotSoAnswer(absl::string_view allowed, absl::string_view message) {
  HttpAnswer answer = ErrorAnswer(405, "bad-usage", message);
  answer.headers = {{"Allow", std::string(allowed)}};
  return answer;
}

// One request, from what it asks for to its answer.
class Exchange {
 public:
  Exchange(const Objects& objects, HttpRequest request, HttpReply& reply)
      : objects_(objects), request_(std::move(request)), reply_(reply) {}

  void Run() {
    const auto& path = request_.path;
    const bool is_known =
        !path.empty() && path[0] == "objects" && path.size() <= 3;
    if (!is_known) {
      return reply_.Send(ErrorAnswer(
          404, "name-unknown",
          "find that path: there are GET /objects, GET /objects/NAME and POST "
          "/objects/NAME/METHOD"));
    }
    if (path.size() > 1) {
      const absl::Status reach = CheckReach(path[1]);
      if (!reach.ok()) return Fail(reach);
    }
    if (path.size() == 3 && path[2].empty()) {
      return reply_.Send(
          ErrorAnswer(400, "bad-usage",
                      "call an object: the path names no method; ask for "
                      "/objects/NAME/METHOD"));
    }
    if (path.size() == 3) return RunCall(path[1], path[2]);
    if (request_.method != "GET") {
      return reply_.Send(NotSoAnswer("GET", "only GET is meant for that path"));
    }
    const absl::StatusOr<std::string> body =
        path.size() == 1 ? List() : Description(path[1]);
    if (!body.ok()) return Fail(body.status());
    Send(JsonAnswer(200, *body));
  }

 private:
  absl::StatusOr<std::string> List() {
    ObjectQuery query;
    for (const auto& [key, value] : request_.query) {
      if (key == "prefix") {
        query.prefix = value;
      } else if (key == "tag") {
        query.all_tags.push_back(value);
      } else if (key == "any_tag") {
        query.any_tags.push_back(value);
      } else {
        return Error(Reason::kBadUsage,
                     absl::StrCat("list objects: ", Quoted(key),
                                  " is none of prefix, tag and any_tag"));
      }
    }
    HEARTH_ASSIGN_OR_RETURN(const auto found, objects_.Find(query));
    Json list = Json::array();
    for (const ObjectInfo& info : found) {
      if (!CheckReach(info.name).ok()) continue;
      list.push_back({{"name", info.name},
                      {"class", info.class_name},
                      {"tags", info.tags},
                      {"pid", info.pid},
                      {"addresses", info.addresses}});
    }
    return Json{{"objects", list}}.dump(-1, ' ', false,
                                        Json::error_handler_t::replace);
  }

  absl::StatusOr<std::string> Description(const std::string& name) {
    HEARTH_ASSIGN_OR_RETURN(
        const Value described,
        objects_.Get(name).With({.timeout = kHttpCallTime}).Describe());
    return absl::StrCat("{\"object\":", ToJson(Value(name)),
                        ",\"class\":", ToJson(described), "}");
  }

  void RunCall(const std::string& name, const std::string& method) {
    absl::StatusOr<CallOptions> options = CallOptionsOf(request_);
    if (!options.ok()) return Fail(options.status());
    // Whoever hangs up wants the answer no more.
    options->cancellation.emplace();
    reply_.OnGone([stop = *options->cancellation] { stop.Cancel(); });
    correlation_ = options->correlation;
    headers_ = {{"Hearth-Correlation-Id", correlation_}};
    const Proxy object = objects_.Get(name).With(*options);
    if (request_.method == "POST") return Post(object, name, method);
    if (request_.method == "GET") return Get(object, name, method);
    if (request_.method == "PUT") return Put(object, method);
    Send(NotSoAnswer("GET, POST, PUT",
                     "call an object: POST calls a method, GET and PUT are for "
                     "attributes"));
  }

  void Post(const Proxy& object, const std::string& name,
            const std::string& method) {
    absl::StatusOr<HttpArguments> arguments = ArgumentsOfBody(request_.body);
    if (!arguments.ok()) return Fail(arguments.status());
    if (!request_.query.empty()) {
      return Send(ErrorAnswer(400, "bad-usage",
                              "call an object: with POST, the arguments are "
                              "in the body, not in the query"));
    }
    absl::StatusOr<std::vector<Value>> values = arguments->values;
    if (arguments->named) {
      const absl::StatusOr<Value> described = object.Describe();
      if (!described.ok()) return Fail(described.status());
      const Value::Map* of = MethodIn(*described, method);
      if (of == nullptr) return Send(NoMethod(name, method));
      values = InOrder(*std::move(arguments), name + "." + method, *of);
    }
    if (!values.ok()) return Fail(values.status());
    const absl::StatusOr<bool> is_oneway = IsOneway(request_);
    if (!is_oneway.ok()) return Fail(is_oneway.status());
    if (!*is_oneway) {
      return Finish(object.CallValues(method, *std::move(values)));
    }
    const absl::Status sent = object.SendValues(method, *std::move(values));
    if (!sent.ok()) return Fail(sent);
    Send(JsonAnswer(202, "{\"sent\":true}"));
  }

  // What a link, a cache or a browser may ask again: nothing else.
  void Get(const Proxy& object, const std::string& name,
           const std::string& method) {
    const absl::StatusOr<Value> described = object.Describe();
    if (!described.ok()) return Fail(described.status());
    const Value::Map* of = MethodIn(*described, method);
    if (of == nullptr) return Send(NoMethod(name, method));
    const bool is_setter = absl::EndsWith(method, "=");
    if (is_setter ||
        (!HasMark(*of, "attribute") && !HasMark(*of, "idempotent"))) {
      return Send(NotSoAnswer(
          "POST", absl::StrCat("get ", name, ".", method,
                               ": it is neither an attribute nor marked "
                               "idempotent; POST calls it")));
    }
    absl::StatusOr<HttpArguments> arguments = ArgumentsOfQuery(request_);
    if (!arguments.ok()) return Fail(arguments.status());
    auto values = InOrder(*std::move(arguments), name + "." + method, *of);
    if (!values.ok()) return Fail(values.status());
    Finish(object.CallValues(method, *std::move(values)));
  }

  void Put(const Proxy& object, const std::string& attribute) {
    absl::StatusOr<Value> value = FromJson(request_.body);
    if (!value.ok()) return Fail(value.status());
    if (absl::Status reach = CheckHandles(*value); !reach.ok()) {
      return Fail(reach);
    }
    Finish(object.CallValues(attribute + "=", {*std::move(value)}));
  }

  void Finish(absl::StatusOr<Value> result) {
    if (!result.ok()) {
      // The arguments were within the limits already: it is the answer.
      const bool is_answer = ReasonOf(result.status()) == Reason::kTooLarge;
      return Fail(result.status(), is_answer ? 500 : 0);
    }
    const auto* stream = result->get<ValueStream>();
    if (stream != nullptr && stream->source != nullptr) {
      return SendItems(*stream->source);
    }
    std::optional<std::string> json =
        ToJson(*result, limits::kHttpAnswerBytesMax);
    if (!json.has_value()) return Fail(TooLarge("answer", *result), 500);
    json->insert(0, "{\"result\":");
    Send(JsonAnswer(200, *std::move(json) + "}"));
  }

  static absl::Status TooLarge(absl::string_view what, const Value& value) {
    return Error(
        Reason::kTooLarge,
        absl::StrCat(what, " with ", WithArticle(value.TypeName()),
                     ": it is more than ", limits::kHttpAnswerBytesMax,
                     " bytes of JSON; ask for less at a time, or call the "
                     "object as a client of the cluster"));
  }

  // One line an item, as they come; an error is the last one.
  void SendItems(const ItemSource& next) {
    absl::StatusOr<std::optional<Value>> item = next();
    if (!item.ok()) return Fail(item.status());
    reply_.Begin({.headers = headers_, .type = "application/x-ndjson"});
    while (item.ok() && item->has_value()) {
      std::optional<std::string> json =
          ToJson(**item, limits::kHttpAnswerBytesMax);
      if (!json.has_value()) {
        item = TooLarge("send an item", **item);
        break;
      }
      if (!reply_.Write(*std::move(json) + "\n")) return;
      item = next();
    }
    if (!item.ok()) reply_.Write(ErrorJson(item.status()) + "\n");
    reply_.End();
  }

  static HttpAnswer NoMethod(const std::string& name,
                             const std::string& method) {
    return ErrorAnswer(
        404, "name-unknown",
        absl::StrCat("call ", Quoted(name), ": its class exposes no method ",
                     Quoted(method), "; GET /objects/", name,
                     " says which it has"));
  }

  // `code`: instead of what belongs to its reason.
  void Fail(absl::Status status, int code = 0) {
    if (CorrelationOf(status).empty()) {
      status = WithCorrelation(std::move(status), correlation_);
    }
    Send(
        JsonAnswer(code != 0 ? code : HttpStatusOf(status), ErrorJson(status)));
  }

  void Send(HttpAnswer answer) {
    for (const auto& header : headers_) answer.headers.push_back(header);
    reply_.Send(answer);
  }

  const Objects& objects_;
  const HttpRequest request_;
  HttpReply& reply_;
  std::string correlation_;
  HttpHeaders headers_;
};

}  // namespace

void Answer(const Objects& objects, HttpRequest request, HttpReply& reply) {
  Exchange(objects, std::move(request), reply).Run();
}

}  // namespace hearth::client
