// Operations by line, for a script that compares them with NumPy.
//
// stdin:  OPERATION DTYPE SHAPE(1,2 or -) ORDER(C|F) OFFSET FILE [key=value
// ...] stdout: "ok FIELDS" then for each "NAME(- for none) DTYPE SHAPE ORDER
// BYTES"
//         and its bytes; or "error REASON MESSAGE".
#include <cstdint>
#include <cstdio>
#include <fstream>
#include <iostream>
#include <iterator>
#include <sstream>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "hearth/base/error.h"
#include "hearth/compute/kernels/kernel.h"
#include "hearth/compute/registry.h"
#include "tests/support/run_serially.h"

namespace hearth {
namespace {

absl::StatusOr<std::vector<ResultArray>> RunLine(const std::string& line) {
  std::istringstream words(line);
  std::string name, dtype, shape, order, file, word;
  std::size_t offset = 0;
  words >> name >> dtype >> shape >> order >> offset >> file;
  Arguments arguments;
  while (words >> word) {
    const std::size_t equals = word.find('=');
    arguments.text[word.substr(0, equals)] = word.substr(equals + 1);
  }
  HEARTH_ASSIGN_OR_RETURN(const Operation* operation, FindOperation(name));
  HEARTH_ASSIGN_OR_RETURN(const NamedElementType type, ParseElementType(dtype));
  HEARTH_ASSIGN_OR_RETURN(
      const Shape lengths,
      shape == "-" ? absl::StatusOr<Shape>(Shape{}) : ParseShape(shape));
  HEARTH_ASSIGN_OR_RETURN(
      const MatrixLayout layout,
      MatrixLayout::Make(type.type, type.byte_order,
                         order == "F" ? Order::kFortran : Order::kC, lengths));
  std::ifstream stream(file, std::ios::binary);
  const std::vector<char> bytes{std::istreambuf_iterator<char>(stream), {}};
  // At the offset of a 64-byte line that was asked for.
  std::vector<std::byte> memory(bytes.size() + offset + 64);
  const auto address = reinterpret_cast<std::uintptr_t>(memory.data());
  std::byte* data = memory.data() + (64 - address % 64) % 64 + offset;
  std::copy(bytes.begin(), bytes.end(), reinterpret_cast<char*>(data));
  return testing::RunSerially(*operation, layout, data, arguments);
}

void Answer(const absl::StatusOr<std::vector<ResultArray>>& results) {
  if (!results.ok()) {
    std::cout << "error " << InfoOf(ReasonOf(results.status())).name << " "
              << results.status().message() << "\n";
    return;
  }
  std::cout << "ok " << results->size() << "\n";
  for (const ResultArray& array : *results) {
    std::cout << (array.name.empty() ? "-" : array.name) << " "
              << NameOf(array.type) << " "
              << (array.shape.empty() ? "-" : absl::StrJoin(array.shape, ","))
              << " " << (array.order == Order::kC ? "C" : "F") << " "
              << array.bytes.size() << "\n";
    std::cout.write(reinterpret_cast<const char*>(array.bytes.data()),
                    static_cast<std::streamsize>(array.bytes.size()));
  }
}

}  // namespace
}  // namespace hearth

int main(int argc, char** argv) {
  if (argc > 1) {
    const std::string variant = argv[1];
    hearth::kernels::ForceVariant(
        variant == "avx512" ? hearth::kernels::Variant::kAvx512
        : variant == "avx2" ? hearth::kernels::Variant::kAvx2
                            : hearth::kernels::Variant::kBaseline);
  }
  std::string line;
  while (std::getline(std::cin, line)) {
    hearth::Answer(hearth::RunLine(line));
    std::cout.flush();
  }
}
