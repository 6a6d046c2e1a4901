// operations: what can be computed, each with its documentation.
#include <cstdio>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "client/cli/command.h"
#include "client/cli/output/table.h"
#include "client/cli/print.h"
#include "hearth/compute/registry.h"

namespace hearth::client {
namespace {

// Lines of at most `width` columns, each begun with `indent`.
std::string Wrapped(const std::string& text, const std::string& indent,
                    int width) {
  std::string lines;
  std::string line;
  for (const absl::string_view word : absl::StrSplit(text, ' ')) {
    const std::size_t wanted = indent.size() + line.size() + 1 + word.size();
    if (!line.empty() && wanted > static_cast<std::size_t>(width)) {
      absl::StrAppend(&lines, indent, line, "\n");
      line.clear();
    }
    absl::StrAppend(&line, line.empty() ? "" : " ", word);
  }
  return absl::StrCat(lines, indent, line, "\n");
}

absl::Status RunOperations(const Context& context) {
  if (context.json) {
    Json operations = Json::array();
    for (const Operation* operation : AllOperations()) {
      Json parameters = Json::array();
      for (const ParameterSpec& parameter : operation->info().parameters) {
        parameters.push_back(
            {{"name", parameter.name},
             {"type", parameter.type},
             {"default", parameter.default_value.empty()
                             ? Json(nullptr)
                             : Json(parameter.default_value)}});
      }
      operations.push_back({{"name", operation->info().name},
                            {"parameters", parameters},
                            {"doc", operation->info().doc}});
    }
    PrintJson({{"operations", operations}});
    return absl::OkStatus();
  }
  for (const Operation* operation : AllOperations()) {
    std::printf("%s", operation->info().name.c_str());
    for (const ParameterSpec& parameter : operation->info().parameters) {
      std::printf(" %s=%s", parameter.name.c_str(),
                  parameter.default_value.empty()
                      ? parameter.type.c_str()
                      : parameter.default_value.c_str());
    }
    std::printf("\n%s",
                Wrapped(operation->info().doc, "    ", kTableWidth).c_str());
  }
  return absl::OkStatus();
}

}  // namespace

void AddOperations(CLI::App& app, CommandLine& line) {
  AddCommand(app, line, "operations", "What can be computed",
             "  hearth operations\n  hearth operations --json",
             [&line] { return RunOperations(line.context); });
}

}  // namespace hearth::client
