// put, ls, info, get, rm.
#include <algorithm>
#include <cstdint>
#include <cstdio>
#include <memory>
#include <optional>
#include <span>
#include <utility>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "client/cli/checks.h"
#include "client/cli/command.h"
#include "client/cli/matrix_options.h"
#include "client/cli/output/npy_writer.h"
#include "client/cli/output/output_file.h"
#include "client/cli/output/table.h"
#include "client/cli/output/units.h"
#include "client/cli/print.h"
#include "client/cli/row_slice.h"
#include "hearth/base/error.h"
#include "hearth/base/status.h"
#include "hearth/matrix/byte_order.h"
#include "hearth/matrix/npy.h"

namespace hearth::client {
namespace {

struct PutOptions {
  std::string name;
  std::string file;
  RawOptions raw;
  bool copy = false;
  bool replace = false;
  int replicas = 1;
};

absl::Status RunPut(const PutOptions& options, const Context& context) {
  HEARTH_ASSIGN_OR_RETURN(const MatrixArgumentSource source,
                          SourceOf(options.file, options.raw));
  HEARTH_ASSIGN_OR_RETURN(const Cluster cluster, context.OpenCluster());
  HEARTH_ASSIGN_OR_RETURN(const MatrixInfo info,
                          cluster.Put(options.name, source,
                                      {.copy = options.copy,
                                       .replace = options.replace,
                                       .replicas = options.replicas}));
  if (context.cluster.empty()) {
    std::fprintf(stderr,
                 "note: no cluster was named, so the matrix ends with this "
                 "command; see hearth local\n");
  }
  if (context.json) {
    PrintJson(InfoJson(info));
  } else {
    PrintInfo(info);
  }
  return absl::OkStatus();
}

absl::Status RunList(const Context& context) {
  HEARTH_ASSIGN_OR_RETURN(const Cluster cluster, context.OpenCluster());
  HEARTH_ASSIGN_OR_RETURN(const auto infos, cluster.List());
  if (context.json) {
    Json matrices = Json::array();
    for (const MatrixInfo& info : infos) matrices.push_back(InfoJson(info));
    PrintJson({{"matrices", matrices}});
    return absl::OkStatus();
  }
  using Align = Table::Align;
  Table table{.columns = {{"NAME"},
                          {"DTYPE"},
                          {"SHAPE"},
                          {"SIZE", Align::kRight, true},
                          {"SOURCE"}},
              .rows = {}};
  for (const MatrixInfo& info : infos) {
    table.rows.push_back({info.name, std::string(NameOf(info.layout.type)),
                          ToString(info.layout.shape),
                          HumanBytes(info.layout.bytes()),
                          info.file.empty() ? "memory" : info.file});
  }
  std::fputs(FormatTable(table).c_str(), stdout);
  return absl::OkStatus();
}

absl::Status RunInfo(const std::string& name, const Context& context) {
  HEARTH_ASSIGN_OR_RETURN(const Cluster cluster, context.OpenCluster());
  HEARTH_ASSIGN_OR_RETURN(const MatrixInfo info, cluster.Info(name));
  if (context.json) {
    PrintJson(InfoJson(info));
  } else {
    PrintInfo(info);
  }
  return absl::OkStatus();
}

struct GetOptions {
  std::string name;
  std::string rows;
  std::string file;
};

struct Rows {
  std::int64_t begin = 0;
  std::int64_t end = 0;
};
// "10:20"; without an end, to the last row: "10:", ":".
struct RowsAsked {
  std::int64_t begin = 0;
  std::optional<std::int64_t> end;

  Rows Of(std::int64_t row_count) const {
    return {begin, end.value_or(std::max(begin, row_count))};
  }
};

absl::StatusOr<RowsAsked> ParseRows(const std::string& text) {
  const std::pair<std::string, std::string> halves =
      absl::StrSplit(text, absl::MaxSplits(':', 1));
  RowsAsked rows;
  bool sound = absl::StrContains(text, ':');
  if (!halves.first.empty()) {
    sound = sound && absl::SimpleAtoi(halves.first, &rows.begin);
  }
  if (!halves.second.empty()) {
    sound = sound && absl::SimpleAtoi(halves.second, &rows.end.emplace());
  }
  if (!sound || rows.begin < 0 || rows.end.value_or(rows.begin) < rows.begin) {
    return Error(Reason::kBadUsage,
                 absl::StrCat("read --rows ", text,
                              ": give the first row and the one after the "
                              "last, as 10:20, 10: or :20"));
  }
  return rows;
}

void PrintWritten(const std::string& file, ElementType type, const Shape& shape,
                  const Context& context) {
  if (context.json) {
    PrintJson({{"file", file},
               {"dtype", std::string(NameOf(type))},
               {"shape", shape}});
  } else {
    PrintText(
        absl::StrCat(file, ": ", ToString(shape), " of ", NameOf(type), "\n"));
  }
}

// Rows of a column-major matrix lie all over it.
bool CanStream(const MatrixLayout& layout, bool some_rows) {
  return !some_rows || layout.order == Order::kC || layout.axis_count() <= 1;
}

// What may be larger than any host's memory, a few MiB at a time.
absl::Status StreamRows(const Cluster& cluster, const MatrixInfo& info,
                        const Rows& rows, const std::string& path,
                        const Context& context) {
  HEARTH_RETURN_IF_ERROR(
      CheckRows(info.name, info.layout, rows.begin, rows.end));
  MatrixLayout layout = info.layout;
  layout.byte_order = ByteOrder::kNative;
  if (!layout.shape.empty()) layout.shape[0] = rows.end - rows.begin;
  HEARTH_ASSIGN_OR_RETURN(const std::string header, FormatNpyHeader(layout));
  HEARTH_ASSIGN_OR_RETURN(
      OutputFile file,
      OutputFile::Create(
          path, static_cast<std::int64_t>(header.size()) + layout.bytes()));
  HEARTH_RETURN_IF_ERROR(file.Append(header));
  std::vector<std::byte> native;
  HEARTH_RETURN_IF_ERROR(cluster.Read(
      info.name, rows.begin, rows.end, [&](std::span<const std::byte> some) {
        if (info.layout.byte_order == ByteOrder::kNative) {
          return file.Append(some);
        }
        native.resize(some.size());
        SwapBytes(some.data(), native.data(),
                  std::ssize(some) / BytesOf(layout.type), layout.type);
        return file.Append(std::span<const std::byte>(native));
      }));
  HEARTH_RETURN_IF_ERROR(file.Commit());
  PrintWritten(path, layout.type, layout.shape, context);
  return absl::OkStatus();
}

absl::Status RunGet(const GetOptions& options, const Context& context) {
  HEARTH_RETURN_IF_ERROR(CheckOutputPath(options.file, 1));
  std::optional<RowsAsked> asked;
  if (!options.rows.empty()) {
    HEARTH_ASSIGN_OR_RETURN(asked, ParseRows(options.rows));
  }
  HEARTH_RETURN_IF_ERROR(OutputFile::CheckCreate(options.file));
  HEARTH_ASSIGN_OR_RETURN(const Cluster cluster, context.OpenCluster());
  HEARTH_ASSIGN_OR_RETURN(const MatrixInfo info, cluster.Info(options.name));
  if (info.layout.type == ElementType::kBfloat16) {
    return Error(
        Reason::kBadParameter,
        absl::StrCat("get ", options.name,
                     ": its elements are bfloat16, which "
                     "no .npy and no .npz file holds; compute on it here, "
                     "where results are float32, or take the raw file that it "
                     "was put from"));
  }
  const Rows rows = asked.value_or(RowsAsked()).Of(info.layout.row_count());
  if (info.in_pieces && CanStream(info.layout, asked.has_value()) &&
      absl::EndsWith(options.file, ".npy")) {
    return StreamRows(cluster, info, rows, options.file, context);
  }
  HEARTH_ASSIGN_OR_RETURN(const Matrix matrix, cluster.Get(options.name));
  if (asked.has_value()) {
    HEARTH_RETURN_IF_ERROR(
        CheckRows(options.name, matrix.layout(), rows.begin, rows.end));
  }
  ArrayView view{.type = matrix.layout().type,
                 .shape = matrix.layout().shape,
                 .order = matrix.layout().order,
                 .bytes = matrix.bytes()};
  HEARTH_ASSIGN_OR_RETURN(
      const RowSlice slice,
      TakeRows(matrix, asked.has_value(), rows.begin, rows.end));
  view.shape = slice.shape;
  view.order = slice.order;
  view.bytes = slice.bytes;
  HEARTH_RETURN_IF_ERROR(
      WriteArrays(options.file, std::span<const ArrayView>(&view, 1)));
  PrintWritten(options.file, view.type, view.shape, context);
  return absl::OkStatus();
}

absl::Status RunRemove(const std::string& name, const Context& context) {
  HEARTH_ASSIGN_OR_RETURN(const Cluster cluster, context.OpenCluster());
  HEARTH_RETURN_IF_ERROR(cluster.Remove(name));
  if (context.json) {
    PrintJson({{"removed", name}});
  } else {
    std::printf("removed %s\n", name.c_str());
  }
  return absl::OkStatus();
}

}  // namespace

void AddPut(CLI::App& app, CommandLine& line) {
  auto options = std::make_shared<PutOptions>();
  CLI::App* command = AddCommand(
      app, line, "put", "Publish a file as a matrix of the cluster",
      "  hearth put m big.npy              # mapped where it lies\n"
      "  hearth put m big.npy --copy       # its bytes in memory\n"
      "  hearth put m big.npy --copy --replicas 2   # on two hosts\n"
      "  hearth put m x.raw --dtype f4 --shape 1000,64",
      [options, &line] {
        return WithHintOfMember(RunPut(*options, line.context), options->file);
      });
  command->add_option("NAME", options->name, "What to call it")->required();
  command->add_option("FILE", options->file, ".npy, .npz:MEMBER or raw file")
      ->required();
  AddRawOptions(*command, options->raw);
  command->add_flag("--copy", options->copy, "Put its bytes into memory");
  command->add_flag("--replace", options->replace,
                    "Take the place of a matrix of this name");
  command
      ->add_option("--replicas", options->replicas,
                   "Hosts that keep its bytes, with --copy; default: 1")
      ->check(IsWithin(1, 1024));
}

void AddList(CLI::App& app, CommandLine& line) {
  AddCommand(app, line, "ls", "List the cluster's matrices",
             "  hearth ls\n  hearth ls --json",
             [&line] { return RunList(line.context); });
}

void AddInfo(CLI::App& app, CommandLine& line) {
  auto name = std::make_shared<std::string>();
  AddCommand(app, line, "info", "What is known of a matrix",
             "  hearth info m --json",
             [name, &line] { return RunInfo(*name, line.context); })
      ->add_option("NAME", *name, "A matrix of the cluster")
      ->required();
}

void AddGet(CLI::App& app, CommandLine& line) {
  auto options = std::make_shared<GetOptions>();
  CLI::App* command =
      AddCommand(app, line, "get", "Write a matrix, or rows of it, to a file",
                 "  hearth get m -o m.npy\n"
                 "  hearth get m --rows 0:1000 -o head.npy",
                 [options, &line] { return RunGet(*options, line.context); });
  command->add_option("NAME", options->name, "A matrix of the cluster")
      ->required();
  command
      ->add_option("--rows", options->rows,
                   "Rows a to b, b not included; a: and :b too")
      ->type_name("a:b");
  command->add_option("-o", options->file, "The .npy file to write")
      ->type_name("FILE")
      ->required();
}

void AddRemove(CLI::App& app, CommandLine& line) {
  auto name = std::make_shared<std::string>();
  AddCommand(app, line, "rm", "Let go of a matrix",
             "  hearth rm m          # readers keep their view of it",
             [name, &line] { return RunRemove(*name, line.context); })
      ->add_option("NAME", *name, "A matrix of the cluster")
      ->required();
}

}  // namespace hearth::client
