// Fill a matrix, seal it, and hand it to whoever reads our output: `share` ends
// before `share HANDLE` begins, and the bytes are there all the same.
#include <hearth/hearth.h>

#include <iostream>

namespace {

absl::StatusOr<std::string> Make() {
  auto open =
      hearth::OpenMatrix::Create(hearth::ElementType::kFloat64, {1000, 8});
  if (!open.ok()) return open.status();
  auto rows = open->Rows(0, 1000);
  if (!rows.ok()) return rows.status();
  auto* values = reinterpret_cast<double*>(rows->data());
  for (int i = 0; i < 8000; ++i) values[i] = i;
  auto matrix = std::move(*open).Seal();
  if (!matrix.ok()) return matrix.status();
  return matrix->Handle();
}

absl::StatusOr<double> LastOf(const char* handle) {
  auto matrix = hearth::Matrix::Open(handle);
  if (!matrix.ok()) return matrix.status();
  auto row = matrix->Rows(999, 1000);
  if (!row.ok()) return row.status();
  return reinterpret_cast<const double*>(row->data())[7];
}

}  // namespace

int main(int argc, char** argv) {
  if (argc == 1) {
    auto handle = Make();
    if (!handle.ok()) return std::cerr << handle.status() << "\n", 1;
    std::cout << *handle << "\n";
  } else {
    auto last = LastOf(argv[1]);
    if (!last.ok()) return std::cerr << last.status() << "\n", 1;
    std::cout << *last << "\n";
  }
}
