// objects: what has a name in the directory.
#include <cstdio>
#include <memory>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "client/cli/command.h"
#include "client/cli/object_access.h"
#include "client/cli/output/table.h"
#include "client/cli/print.h"
#include "hearth/base/status.h"

namespace hearth::client {
namespace {

absl::Status RunObjects(const ObjectQuery& query, const Context& context) {
  HEARTH_ASSIGN_OR_RETURN(const Objects objects,
                          OpenObjects(context, "list objects"));
  HEARTH_ASSIGN_OR_RETURN(const auto found, objects.Find(query));
  if (context.json) {
    Json list = Json::array();
    for (const ObjectInfo& info : found) {
      list.push_back({{"name", info.name},
                      {"class", info.class_name},
                      {"tags", info.tags},
                      {"pid", info.pid},
                      {"addresses", info.addresses}});
    }
    PrintJson({{"objects", list}});
    return absl::OkStatus();
  }
  Table table{.columns = {{"NAME"},
                          {"CLASS"},
                          {"PID", Table::Align::kRight, true},
                          {"TAGS"}},
              .rows = {}};
  for (const ObjectInfo& info : found) {
    table.rows.push_back({info.name, info.class_name, absl::StrCat(info.pid),
                          absl::StrJoin(info.tags, ",")});
  }
  std::fputs(FormatTable(table).c_str(), stdout);
  return absl::OkStatus();
}

}  // namespace

void AddObjects(CLI::App& app, CommandLine& line) {
  auto query = std::make_shared<ObjectQuery>();
  CLI::App* command =
      AddCommand(app, line, "objects", "List remote objects",
                 "  hearth objects\n"
                 "  hearth objects --prefix bank. --tag production",
                 [query, &line] { return RunObjects(*query, line.context); });
  command->add_option("--prefix", query->prefix, "Names that begin so");
  command->add_option("--tag", query->all_tags, "That have all of these tags");
  command->add_option("--any-tag", query->any_tags,
                      "That have any of these tags");
}

}  // namespace hearth::client
