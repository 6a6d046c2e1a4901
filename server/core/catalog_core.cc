#include "server/core/catalog_core.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "hearth/base/error.h"
#include "hearth/base/limits.h"
#include "hearth/matrix/partition.h"

namespace hearth::server {
namespace {

bool IsLetter(char c) {
  return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || c == '_';
}

// [A-Za-z_][A-Za-z0-9_.-]{0,127}
bool IsName(absl::string_view name) {
  if (name.empty() || name.size() > limits::kNameBytesMax) return false;
  if (!IsLetter(name[0])) return false;
  return std::all_of(name.begin(), name.end(), [](char c) {
    return IsLetter(c) || (c >= '0' && c <= '9') || c == '.' || c == '-';
  });
}

absl::Status Unknown(absl::string_view attempt, absl::string_view name) {
  return Error(Reason::kNameUnknown,
               absl::StrCat(attempt, " \"", name,
                            "\": no matrix has this name; \"hearth ls\" lists "
                            "those there are"));
}

const SegmentSource* SegmentOf(const MatrixRecord& matrix) {
  return std::get_if<SegmentSource>(&matrix.source);
}

}  // namespace

absl::Status CatalogCore::Put(MatrixRecord record, bool replace) {
  if (!IsName(record.name)) {
    return Error(Reason::kBadUsage,
                 absl::StrCat("put: a name is a letter or _ and up to 127 "
                              "letters, digits, _ . or - more; this one has ",
                              record.name.size(), " bytes"));
  }
  const auto found = by_name_.find(record.name);
  if (found != by_name_.end() && !replace) {
    return Error(
        Reason::kNameTaken,
        absl::StrCat("put \"", record.name,
                     "\": the name exists; use --replace or another name"));
  }
  if (found == by_name_.end() && by_name_.size() >= kMatrixCountMax) {
    return Error(
        Reason::kTooLarge,
        absl::StrCat("put \"", record.name, "\": the cluster has ",
                     kMatrixCountMax, " matrices already; remove some"));
  }
  auto matrix = std::make_shared<const MatrixRecord>(std::move(record));
  Name(matrix);
  if (found == by_name_.end()) {
    by_name_.emplace(matrix->name, std::move(matrix));
  } else {
    Unname(std::exchange(found->second, std::move(matrix)));
  }
  return absl::OkStatus();
}

absl::Status CatalogCore::Remove(absl::string_view name) {
  const auto found = by_name_.find(std::string(name));
  if (found == by_name_.end()) return Unknown("remove", name);
  const MatrixPtr matrix = found->second;
  by_name_.erase(found);
  Unname(matrix);
  return absl::OkStatus();
}

absl::Status CatalogCore::Seal(absl::string_view name) {
  const auto found = by_name_.find(std::string(name));
  if (found == by_name_.end()) return Unknown("seal", name);
  MatrixRecord sealed = *found->second;
  sealed.sealed = true;
  found->second = std::make_shared<const MatrixRecord>(std::move(sealed));
  return absl::OkStatus();
}

absl::StatusOr<MatrixPtr> CatalogCore::Get(absl::string_view name) const {
  const auto found = by_name_.find(std::string(name));
  if (found == by_name_.end()) return Unknown("find", name);
  return found->second;
}

std::vector<MatrixPtr> CatalogCore::List() const {
  std::vector<MatrixPtr> list;
  list.reserve(by_name_.size());
  for (const auto& [name, matrix] : by_name_) list.push_back(matrix);
  return list;
}

void CatalogCore::Name(const MatrixPtr& matrix) {
  if (const auto* segment = SegmentOf(*matrix)) ++named_[segment->token];
}

void CatalogCore::Unname(const MatrixPtr& matrix) {
  const auto* segment = SegmentOf(*matrix);
  if (segment == nullptr) return;
  if (--named_[segment->token] == 0) named_.erase(segment->token);
  if (!Holds(segment->token)) released_.push_back(*segment);
}

void CatalogCore::Use(const MatrixPtr& matrix) {
  if (const auto* segment = SegmentOf(*matrix)) ++uses_[segment->token];
}

void CatalogCore::Unuse(const MatrixPtr& matrix) {
  const auto* segment = SegmentOf(*matrix);
  if (segment == nullptr) return;
  if (--uses_[segment->token] == 0) uses_.erase(segment->token);
  if (!Holds(segment->token)) released_.push_back(*segment);
}

std::vector<SegmentSource> CatalogCore::TakeReleased() {
  return std::exchange(released_, {});
}

std::int64_t RowBlocksOf(const MatrixRecord& matrix) {
  return Partition(matrix.layout).block_count();
}

std::vector<RowRange> ShardRowsOf(const MatrixRecord& matrix) {
  const Partition partition(matrix.layout);
  const std::int64_t rows = matrix.layout.row_count();
  const bool by_rows =
      matrix.layout.order == Order::kC || matrix.layout.axis_count() <= 1;
  const std::int64_t elements = matrix.layout.element_count();
  const std::int64_t row_elements = rows > 0 ? elements / rows : 0;
  std::vector<RowRange> shards;
  for (std::int64_t first = 0; first < partition.block_count();
       first += partition.blocks_per_shard()) {
    const std::int64_t last = std::min(first + partition.blocks_per_shard(),
                                       partition.block_count()) -
                              1;
    if (!by_rows || row_elements == 0) {
      shards.push_back({0, rows});
      continue;
    }
    const std::int64_t begin = partition.Block(first).element_begin;
    const std::int64_t end = partition.Block(last).element_end();
    shards.push_back(
        {begin / row_elements, (end + row_elements - 1) / row_elements});
  }
  return shards;
}

}  // namespace hearth::server
