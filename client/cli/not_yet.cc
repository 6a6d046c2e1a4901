// What the contract names and is not built yet: refused by name, so that nobody
// mistakes it for a typing error.
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "client/cli/command.h"
#include "hearth/base/error.h"

namespace hearth::client {

void AddNotYet(CLI::App& app, CommandLine& line) {
  const std::vector<std::pair<std::string, std::string>> commands = {
      {"top", "Watch a cluster live (not built yet)"}};
  for (const auto& [name, summary] : commands) {
    CLI::App* command =
        AddCommand(app, line, name, summary, "  (none yet)", [name = name] {
          return Error(Reason::kNotYet,
                       absl::StrCat("run `hearth ", name,
                                    "`: this version does not have it yet; "
                                    "see `hearth --help` for what it has"));
        });
    command->allow_extras();
  }
}

}  // namespace hearth::client
