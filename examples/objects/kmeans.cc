// kmeans ADDRESS MATRIX CLUSTERS: the centroids are an object; the rows are
// assigned to them by objects that map the matrix where it lies, each its part.
#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <limits>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "client/hearth.h"
#include "client/objects.h"

namespace {

struct Sums {
  std::vector<std::vector<double>> sums;
  std::vector<std::int64_t> counts;
};
auto Describe(hearth::As<Sums>) {
  return hearth::Struct("Sums", hearth::Field("sums", &Sums::sums),
                        hearth::Field("counts", &Sums::counts));
}

using Points = std::vector<std::vector<double>>;

class Centroids {
 public:
  explicit Centroids(Points points) : points_(std::move(points)) {}
  Points points() const { return points_; }
  // Moves each to the mean of its rows; returns the farthest move, squared.
  double Move(const std::vector<Sums>& parts) {
    double farthest = 0;
    for (std::size_t k = 0; k < points_.size(); ++k) {
      std::vector<double> mean(points_[k].size());
      double count = 0;
      for (const Sums& part : parts) {
        count += static_cast<double>(part.counts[k]);
        for (std::size_t d = 0; d < mean.size(); ++d)
          mean[d] += part.sums[k][d];
      }
      if (count == 0) continue;
      double moved = 0;
      for (std::size_t d = 0; d < mean.size(); ++d) {
        mean[d] /= count;
        moved += (mean[d] - points_[k][d]) * (mean[d] - points_[k][d]);
      }
      points_[k] = std::move(mean);
      farthest = std::max(farthest, moved);
    }
    return farthest;
  }

 private:
  Points points_;
};
hearth::Class Describe(hearth::As<Centroids>) {
  return hearth::Declare<Centroids>("Centroids")
      .Method("move", &Centroids::Move, {.parameters = {"parts"}})
      .Attribute("points", &Centroids::points);
}

// Maps the matrix that it is given, and reads its rows where they lie.
class Assigner {
 public:
  absl::StatusOr<Sums> Assign(const hearth::MatrixView& matrix,
                              std::int64_t begin, std::int64_t end,
                              const hearth::Proxy& centroids) {
    const auto points = centroids.Get<Points>("points");
    if (!points.ok()) return points.status();
    const auto rows = matrix.Rows(begin, end);
    if (!rows.ok()) return rows.status();
    const std::size_t width = points->front().size();
    const std::span<const double> values = rows->As<double>();
    Sums out{Points(points->size(), std::vector<double>(width)),
             std::vector<std::int64_t>(points->size())};
    for (std::size_t at = 0; at + width <= values.size(); at += width) {
      std::size_t best = 0;
      double nearest = std::numeric_limits<double>::infinity();
      for (std::size_t k = 0; k < points->size(); ++k) {
        double distance = 0;
        for (std::size_t d = 0; d < width; ++d) {
          const double off = values[at + d] - (*points)[k][d];
          distance += off * off;
        }
        if (distance < nearest) {
          nearest = distance;
          best = k;
        }
      }
      ++out.counts[best];
      for (std::size_t d = 0; d < width; ++d) {
        out.sums[best][d] += values[at + d];
      }
    }
    return out;
  }
};
hearth::Class Describe(hearth::As<Assigner>) {
  return hearth::Declare<Assigner>("Assigner")
      .Method("assign", &Assigner::Assign,
              {.parameters = {"matrix", "begin", "end", "centroids"},
               .idempotent = true,
               .concurrent = true});
}

absl::Status Run(const char* address, const std::string& name, int clusters) {
  const auto cluster = hearth::Cluster::Connect(address, {.insecure = true});
  if (!cluster.ok()) return cluster.status();
  const auto matrix = cluster->Get(name);
  if (!matrix.ok()) return matrix.status();
  const std::int64_t rows = matrix->layout().row_count();
  const std::int64_t width = matrix->layout().shape.at(1);
  Points first;
  for (int k = 0; k < clusters; ++k) {
    const auto row = matrix->Rows(k * rows / clusters, k * rows / clusters + 1);
    if (!row.ok()) return row.status();
    const auto* values = reinterpret_cast<const double*>(row->data());
    first.emplace_back(values, values + width);
  }
  const auto objects = hearth::Objects::Connect(address, {.insecure = true});
  if (!objects.ok()) return objects.status();
  auto server = hearth::ObjectServer::Start(*objects);
  if (!server.ok()) return server.status();
  const auto centroids =
      server->Serve("centroids", std::make_shared<Centroids>(first));
  if (!centroids.ok()) return centroids.status();
  constexpr int kParts = 2;
  for (int part = 0; part < kParts; ++part) {
    const auto served = server->Serve(absl::StrCat("assigner", part),
                                      std::make_shared<Assigner>());
    if (!served.ok()) return served.status();
  }
  const hearth::MatrixHandle handle{name};
  for (int round = 0; round < 50; ++round) {
    std::vector<hearth::Future<Sums>> futures;
    for (int part = 0; part < kParts; ++part) {
      futures.push_back(objects->Get(absl::StrCat("assigner", part))
                            .Later<Sums>("assign", handle, part * rows / kParts,
                                         (part + 1) * rows / kParts,
                                         *centroids));
    }
    std::vector<Sums> parts;
    for (const auto& future : futures) {
      auto sums = future.Get();
      if (!sums.ok()) return sums.status();
      parts.push_back(*std::move(sums));
    }
    const auto moved = centroids->Call<double>("move", parts);
    if (!moved.ok()) return moved.status();
    if (*moved < 1e-12) break;
  }
  const auto points = centroids->Get<Points>("points");
  if (!points.ok()) return points.status();
  Points sorted = *points;
  std::sort(sorted.begin(), sorted.end());
  for (const auto& point : sorted) {
    for (const double value : point) std::printf("%.6f ", value);
    std::printf("\n");
  }
  return absl::OkStatus();
}

}  // namespace

int main(int argc, char** argv) {
  const absl::Status status =
      argc < 4 ? absl::InvalidArgumentError("kmeans ADDRESS MATRIX CLUSTERS")
               : Run(argv[1], argv[2], std::atoi(argv[3]));
  if (!status.ok()) std::fprintf(stderr, "%s\n", status.ToString().c_str());
  return status.ok() ? 0 : 1;
}
