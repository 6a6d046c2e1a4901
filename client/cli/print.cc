#include "client/cli/print.h"

#include <unistd.h>

#include <cstdio>
#include <string>

#include "absl/strings/str_cat.h"
#include "client/cli/output/display.h"
#include "client/cli/output/units.h"
#include "client/cli/output/wrap.h"

namespace hearth::client {
namespace {

constexpr int kFieldWidth = 11;

}  // namespace

void PrintText(absl::string_view text) {
  static const bool terminal = isatty(STDOUT_FILENO) == 1;
  const std::string shown =
      terminal ? Escaped(text, "\n\t") : std::string(text);
  std::fwrite(shown.data(), 1, shown.size(), stdout);
}

void PrintJson(const Json& document) {
  // Names of files may hold any bytes; JSON holds Unicode.
  std::printf(
      "%s\n",
      document.dump(-1, ' ', false, Json::error_handler_t::replace).c_str());
}

Json InfoJson(const MatrixInfo& info) {
  Json shards = Json::array();
  for (const MatrixInfo::Shard& shard : info.shards) {
    shards.push_back({{"rows", {shard.row_begin, shard.row_end}},
                      {"workers", shard.workers}});
  }
  const bool in_memory = info.file.empty();
  return {{"name", info.name},
          {"dtype", std::string(NameOf(info.layout.type))},
          {"shape", info.layout.shape},
          {"order", info.layout.order == Order::kC ? "C" : "F"},
          {"bytes", info.layout.bytes()},
          {"sealed", info.sealed},
          {"source", in_memory ? "memory" : "file"},
          {"file", in_memory ? Json(nullptr) : Json(info.file)},
          {"row_blocks", info.row_blocks},
          {"page_bytes", info.page_bytes},
          {"shards", shards}};
}

void PrintInfo(const MatrixInfo& info) {
  const auto line = [](const char* field, const std::string& value) {
    std::printf("%-*s %s\n", kFieldWidth, field,
                Wrapped(value, kFieldWidth + 1).c_str());
  };
  line("name", info.name);
  line("dtype", std::string(NameOf(info.layout.type)));
  line("shape", ToString(info.layout.shape));
  line("order", info.layout.order == Order::kC ? "C" : "F");
  line("bytes", absl::StrCat(HumanCount(info.layout.bytes()), " (",
                             HumanBytes(info.layout.bytes()), ")"));
  line("source", info.file.empty() ? "memory" : info.file);
  line("row blocks", HumanCount(info.row_blocks));
  line("page size", HumanBytes(info.page_bytes));
  line("shards", HumanCount(static_cast<std::int64_t>(info.shards.size())));
}

std::vector<ArrayView> ViewsOf(const JobResult& result) {
  std::vector<ArrayView> views;
  for (const ResultField& field : result.fields) {
    views.push_back({.name = field.name,
                     .type = field.layout.type,
                     .shape = field.layout.shape,
                     .order = field.layout.order,
                     .bytes = field.bytes});
  }
  return views;
}

}  // namespace hearth::client
