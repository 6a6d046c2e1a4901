// make: a matrix of random numbers from a seed.
#include <algorithm>
#include <cstdio>
#include <memory>
#include <thread>
#include <utility>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "client/cli/checks.h"
#include "client/cli/command.h"
#include "client/cli/output/output_file.h"
#include "client/cli/print.h"
#include "hearth/base/error.h"
#include "hearth/base/limits.h"
#include "hearth/base/quoted.h"
#include "hearth/base/status.h"
#include "hearth/compute/random_fill.h"
#include "hearth/matrix/npy.h"
#include "hearth/matrix/partition.h"
#include "hearth/matrix/reference.h"

namespace hearth::client {
namespace {

struct MakeOptions {
  std::string target;
  std::string shape;
  std::string dtype = "float64";
  std::uint64_t seed = 1;
  int replicas = 1;
};

absl::StatusOr<MatrixLayout> LayoutOf(const MakeOptions& options) {
  HEARTH_ASSIGN_OR_RETURN(Shape shape, ParseShape(options.shape));
  HEARTH_ASSIGN_OR_RETURN(const NamedElementType type,
                          ParseElementType(options.dtype));
  if (type.byte_order == ByteOrder::kForeign) {
    return Error(Reason::kBadUsage,
                 absl::StrCat("make ", options.target, " of ", options.dtype,
                              ": numbers are made in this machine's byte "
                              "order; say ",
                              NameOf(type.type)));
  }
  if (type.type == ElementType::kBfloat16 &&
      absl::EndsWith(options.target, ".npy")) {
    return Error(Reason::kBadUsage,
                 absl::StrCat("make ", options.target,
                              ": no .npy file holds bfloat16; say --dtype "
                              "float32 or float16, or make a name"));
  }
  return MatrixLayout::Make(type.type, type.byte_order, Order::kC,
                            std::move(shape));
}

absl::Status MakeFile(const std::string& path, const MatrixLayout& layout,
                      std::uint64_t seed) {
  HEARTH_ASSIGN_OR_RETURN(const std::string header, FormatNpyHeader(layout));
  HEARTH_ASSIGN_OR_RETURN(
      OutputFile file,
      OutputFile::Create(
          path, static_cast<std::int64_t>(header.size()) + layout.bytes()));
  HEARTH_RETURN_IF_ERROR(file.Append(header));
  const std::int64_t element_bytes = BytesOf(layout.type);
  const std::int64_t step = limits::kMiB / element_bytes;
  std::vector<std::byte> buffer(limits::kMiB);
  const std::int64_t count = layout.element_count();
  for (std::int64_t begin = 0; begin < count; begin += step) {
    const std::int64_t some = std::min(step, count - begin);
    FillRandom(layout.type, seed, begin, some, buffer.data());
    HEARTH_RETURN_IF_ERROR(file.Append(std::span<const std::byte>(
        buffer.data(), static_cast<std::size_t>(some * element_bytes))));
  }
  return file.Commit();
}

absl::Status RunMake(const MakeOptions& options, const Context& context) {
  HEARTH_ASSIGN_OR_RETURN(const MatrixLayout layout, LayoutOf(options));
  if (absl::EndsWith(options.target, ".raw") ||
      absl::StrContains(options.target, ".npz")) {
    return Error(Reason::kBadUsage,
                 absl::StrCat("make ", Quoted(options.target),
                              ": of files it writes .npy alone; let the name "
                              "end in .npy, or make a name in the cluster"));
  }
  HEARTH_ASSIGN_OR_RETURN(
      const MatrixReference target,
      ParseMatrixReference(options.target, /*has_dtype=*/false));
  if (std::holds_alternative<NpyFile>(target) &&
      absl::EndsWith(options.target, ".npy")) {
    if (options.replicas > 1) {
      return Error(Reason::kBadUsage,
                   absl::StrCat("make ", options.target,
                                ": a file has no replicas; make a name, or "
                                "leave out --replicas"));
    }
    HEARTH_RETURN_IF_ERROR(MakeFile(options.target, layout, options.seed));
    HEARTH_ASSIGN_OR_RETURN(const Matrix made, Matrix::Load(options.target));
    MatrixInfo info{.name = options.target,
                    .layout = made.layout(),
                    .file = made.file(),
                    .page_bytes = 4096,
                    .row_blocks = Partition(made.layout()).block_count()};
    info.shards.push_back({0, made.layout().row_count(), {}});
    if (context.json) {
      PrintJson(InfoJson(info));
    } else {
      PrintInfo(info);
    }
    return absl::OkStatus();
  }
  if (!std::holds_alternative<NamedMatrix>(target)) {
    return Error(Reason::kBadUsage,
                 absl::StrCat("make ", options.target,
                              ": give a name, or a file that ends in .npy"));
  }
  HEARTH_ASSIGN_OR_RETURN(const Cluster cluster, context.OpenCluster());
  HEARTH_ASSIGN_OR_RETURN(
      const MatrixInfo info,
      cluster.Make(options.target, layout, options.seed, options.replicas));
  if (context.json) {
    PrintJson(InfoJson(info));
  } else {
    PrintInfo(info);
  }
  return absl::OkStatus();
}

}  // namespace

void AddMake(CLI::App& app, CommandLine& line) {
  auto options = std::make_shared<MakeOptions>();
  CLI::App* command = AddCommand(
      app, line, "make", "A matrix of random numbers from a seed",
      "  hearth make m --shape 500000,1024\n"
      "  hearth make test.npy --shape 1000,64 --dtype int16 --seed 7",
      [options, &line] { return RunMake(*options, line.context); });
  command
      ->add_option("NAME|FILE.npy", options->target,
                   "A name in the cluster, or a file to write")
      ->required();
  command->add_option("--shape", options->shape, "Lengths of the axes")
      ->type_name("N,N,...")
      ->required();
  command->add_option("--dtype", options->dtype, "Element type")
      ->type_name("DTYPE");
  command->add_option("--seed", options->seed, "Another seed, other numbers")
      ->check(IsNumber<std::uint64_t>());
  command
      ->add_option("--replicas", options->replicas,
                   "Hosts that keep a named one's bytes; default: 1")
      ->check(IsWithin(1, 1024));
}

}  // namespace hearth::client
