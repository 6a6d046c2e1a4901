// Column means of a file, by five workers that share its one mapping.
#include <hearth/hearth.h>

#include <iostream>

int main(int, char** argv) {
  auto cluster = hearth::Cluster::Local({.workers = 5});
  if (!cluster.ok()) return std::cerr << cluster.status() << "\n", 1;
  auto job =
      cluster->Run("mean", {.matrix = argv[1], .arguments = {{"axis", "0"}}});
  if (!job.ok()) return std::cerr << job.status() << "\n", 1;
  const auto* means =
      reinterpret_cast<const double*>(job->fields[0].bytes.data());
  for (int i = 0; i < job->fields[0].layout.shape[0]; ++i)
    std::cout << means[i] << "\n";
}
