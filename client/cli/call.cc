// call: one call of a remote object, its arguments as JSON.
#include <cstdint>
#include <cstdio>
#include <iterator>
#include <memory>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "client/cli/checks.h"
#include "client/cli/command.h"
#include "client/cli/object_access.h"
#include "client/cli/output/units.h"
#include "client/cli/print.h"
#include "client/cli/surroundings.h"
#include "hearth/base/error.h"
#include "hearth/base/limits.h"
#include "hearth/base/status.h"
#include "hearth/object/json.h"

namespace hearth::client {

absl::StatusOr<Objects> OpenObjects(const Context& context,
                                    absl::string_view attempt) {
  if (context.cluster.empty()) {
    return Error(Reason::kBadUsage,
                 absl::StrCat(attempt,
                              ": no cluster is named, and an embedded one has "
                              "no objects; say --cluster ADDRESS or set "
                              "HEARTH_CLUSTER"));
  }
  return Objects::Connect(context.cluster, {.tls_dir = context.tls_dir,
                                            .insecure = context.insecure});
}

namespace {

struct CallArguments {
  std::string name;
  std::string method;
  std::vector<std::string> arguments;
  double timeout_seconds = 0;
};

// JSON; what is none is a text, so that plain words need no quotes.
Value ReadArgument(const std::string& text) {
  absl::StatusOr<Value> value = FromJson(text);
  if (value.ok()) return *std::move(value);
  return Value(text);
}

bool LooksLikeJson(const std::string& text) {
  return !text.empty() && (text[0] == '{' || text[0] == '[' || text[0] == '"');
}

// One line an item, each as it comes: there may be no end to them.
absl::Status PrintItemsAsTheyCome(const ItemSource& next) {
  while (true) {
    HEARTH_ASSIGN_OR_RETURN(const auto item, next());
    if (!item.has_value()) return absl::OkStatus();
    PrintText(ToJson(*item) + "\n");
    HEARTH_RETURN_IF_ERROR(FlushOutput());
    if (std::ferror(stdout) == 0) continue;
    std::clearerr(stdout);  // its reader has enough
    return absl::OkStatus();
  }
}

// One document of all, once they are there.
absl::Status PrintAllItems(const ItemSource& next, absl::string_view attempt) {
  std::string items;
  for (std::int64_t count = 0;; ++count) {
    HEARTH_ASSIGN_OR_RETURN(const auto item, next());
    if (!item.has_value()) break;
    absl::StrAppend(&items, count == 0 ? "" : ",", ToJson(*item));
    if (count < limits::kJsonValuesMax &&
        std::ssize(items) <= limits::kCallBytesMax) {
      continue;
    }
    return Error(Reason::kTooLarge,
                 absl::StrCat(attempt,
                              ": there are more items than one JSON "
                              "document may have (",
                              limits::kJsonValuesMax, ", or ",
                              HumanBytes(limits::kCallBytesMax),
                              "); leave out --json: then each is printed as it "
                              "comes"));
  }
  std::printf("{\"result\":[%s]}\n", items.c_str());
  return absl::OkStatus();
}

absl::Status RunCall(const CallArguments& call, const Context& context) {
  std::vector<Value> arguments;
  for (const std::string& text : call.arguments) {
    if (LooksLikeJson(text)) {
      HEARTH_ASSIGN_OR_RETURN(Value value, FromJson(text));
      arguments.push_back(std::move(value));
    } else {
      arguments.push_back(ReadArgument(text));
    }
  }
  HEARTH_ASSIGN_OR_RETURN(const Objects objects,
                          OpenObjects(context, "call an object"));
  Proxy proxy = objects.Get(call.name);
  if (call.timeout_seconds > 0) {
    proxy = proxy.With({.timeout = absl::Seconds(call.timeout_seconds)});
  }
  HEARTH_ASSIGN_OR_RETURN(Value result,
                          proxy.CallValues(call.method, std::move(arguments)));
  const auto* stream = result.get<ValueStream>();
  if (stream != nullptr && stream->source != nullptr) {
    if (!context.json) return PrintItemsAsTheyCome(*stream->source);
    return PrintAllItems(*stream->source,
                         absl::StrCat("call ", call.name, ".", call.method));
  }
  if (context.json) {
    std::printf("{\"result\":%s}\n", ToJson(result).c_str());
  } else if (const auto* text = result.get<std::string>()) {
    PrintText(*text + "\n");
  } else if (!result.is_null()) {
    PrintText(ToJson(result) + "\n");
  }
  return absl::OkStatus();
}

}  // namespace

void AddCall(CLI::App& app, CommandLine& line) {
  auto call = std::make_shared<CallArguments>();
  CLI::App* command = AddCommand(
      app, line, "call", "Call a method of a remote object",
      "  hearth call counter add 5\n"
      "  hearth call bank transfer '\"alice\"' '\"bob\"' 12.5 --json\n"
      "  hearth call counter sum              # an attribute\n"
      "  hearth call counter '$describe'      # what there is to call\n"
      "  hearth call hall readings 5          # items: a line each, as they "
      "come\n"
      "  hearth call hall readings 5 --json   # all of them in one document, "
      "or "
      "none",
      [call, &line] { return RunCall(*call, line.context); });
  command->add_option("NAME", call->name, "The object's name")->required();
  command->add_option("METHOD", call->method, "NAME= sets an attribute")
      ->required();
  command->add_option("ARG", call->arguments,
                      "Arguments as JSON; what is no JSON is a text");
  command
      ->add_option("--timeout", call->timeout_seconds,
                   "Seconds to wait; default: as long as it takes")
      ->check(IsPositive());
}

}  // namespace hearth::client
