#include "server/core/catalog_core.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "hearth/base/error.h"
#include "hearth/base/limits.h"
#include "hearth/base/status.h"
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

absl::Status CatalogCore::CheckPut(absl::string_view name, bool replace) const {
  if (!IsName(name)) {
    return Error(Reason::kBadUsage,
                 absl::StrCat("put: a name is a letter or _ and up to 127 "
                              "letters, digits, _ . or - more; this one has ",
                              name.size(), " bytes"));
  }
  const bool is_taken = by_name_.contains(std::string(name));
  if (is_taken && !replace) {
    return Error(Reason::kNameTaken,
                 absl::StrCat("put \"", name,
                              "\": the name exists; use --replace or another "
                              "name"));
  }
  if (!is_taken && by_name_.size() >= kMatrixCountMax) {
    return Error(
        Reason::kTooLarge,
        absl::StrCat("put \"", name, "\": the cluster has ", kMatrixCountMax,
                     " matrices already; remove some"));
  }
  return absl::OkStatus();
}

absl::Status CatalogCore::Put(MatrixRecord record, bool replace) {
  HEARTH_RETURN_IF_ERROR(CheckPut(record.name, replace));
  auto matrix = std::make_shared<const MatrixRecord>(std::move(record));
  Name(matrix);
  const auto found = by_name_.find(matrix->name);
  if (found == by_name_.end()) {
    by_name_.emplace(matrix->name, std::move(matrix));
    return absl::OkStatus();
  }
  const MatrixPtr replaced = std::exchange(found->second, std::move(matrix));
  // The same segment by the same name again is named once.
  const SegmentSource* before = SegmentOf(*replaced);
  const SegmentSource* after = SegmentOf(*found->second);
  if (before == nullptr || after == nullptr || before->token != after->token) {
    Unname(replaced);
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

// --- where segments lie -----------------------------------------------------

CatalogCore::Held& CatalogCore::Hold(const SegmentSource& segment,
                                     const MatrixLayout& layout) {
  const auto [found, is_new] = held_.try_emplace(segment.token);
  if (is_new) {
    found->second.source = segment;
    found->second.layout = layout;
    Index(segment);
  }
  return found->second;
}

void CatalogCore::Index(const SegmentSource& segment) {
  for (const Replica& replica : segment.replicas) {
    segment_of_[replica.token] = segment.token;
    at_host_[replica.host].insert(segment.token);
  }
}

void CatalogCore::Unindex(const SegmentSource& segment) {
  for (const Replica& replica : segment.replicas) {
    segment_of_.erase(replica.token);
    const auto there = at_host_.find(replica.host);
    if (there == at_host_.end()) continue;
    there->second.erase(segment.token);
    if (there->second.empty()) at_host_.erase(there);
  }
}

void CatalogCore::Name(MatrixPtr& matrix) {
  const auto* segment = SegmentOf(*matrix);
  if (segment == nullptr) return;
  Hold(*segment, matrix->layout).names.insert(matrix->name);
  matrix = Current(matrix);
}

void CatalogCore::Unname(const MatrixPtr& matrix) {
  const auto* segment = SegmentOf(*matrix);
  if (segment == nullptr) return;
  held_.at(segment->token).names.erase(matrix->name);
  ReleaseIfUnneeded(segment->token);
}

void CatalogCore::Use(const MatrixPtr& matrix) {
  const auto* segment = SegmentOf(*matrix);
  if (segment != nullptr) ++Hold(*segment, matrix->layout).uses;
}

void CatalogCore::Unuse(const MatrixPtr& matrix) {
  const auto* segment = SegmentOf(*matrix);
  if (segment == nullptr) return;
  --held_.at(segment->token).uses;
  ReleaseIfUnneeded(segment->token);
}

void CatalogCore::ReleaseIfUnneeded(const Id& segment) {
  const auto found = held_.find(segment);
  if (!found->second.names.empty() || found->second.uses > 0) return;
  Unindex(found->second.source);
  released_.push_back(std::move(found->second.source));
  held_.erase(found);
}

std::vector<SegmentSource> CatalogCore::TakeReleased() {
  return std::exchange(released_, {});
}

const CatalogCore::Held* CatalogCore::Find(const Id& segment) const {
  const auto found = held_.find(segment);
  return found == held_.end() ? nullptr : &found->second;
}

const CatalogCore::Held* CatalogCore::FindByReplica(const Id& replica) const {
  const auto found = segment_of_.find(replica);
  return found == segment_of_.end() ? nullptr : Find(found->second);
}

std::vector<Id> CatalogCore::SegmentsAt(const std::string& host) const {
  const auto found = at_host_.find(host);
  if (found == at_host_.end()) return {};
  return {found->second.begin(), found->second.end()};
}

std::vector<std::string> CatalogCore::Hosts() const {
  std::vector<std::string> hosts;
  hosts.reserve(at_host_.size());
  for (const auto& [host, segments] : at_host_) hosts.push_back(host);
  return hosts;
}

void CatalogCore::SetReplicas(const Id& segment,
                              std::vector<Replica> replicas) {
  Held& held = held_.at(segment);
  Unindex(held.source);
  held.source.replicas = std::move(replicas);
  Index(held.source);
  for (const std::string& name : held.names) {
    MatrixPtr& matrix = by_name_.at(name);
    matrix = Current(matrix);
  }
  moved_.push_back(segment);
}

std::vector<Id> CatalogCore::TakeMoved() { return std::exchange(moved_, {}); }

MatrixPtr CatalogCore::Current(const MatrixPtr& matrix) const {
  const auto* segment = SegmentOf(*matrix);
  const Held* held = segment == nullptr ? nullptr : Find(segment->token);
  if (held == nullptr || held->source == *segment) return matrix;
  MatrixRecord current = *matrix;
  current.source = held->source;
  return std::make_shared<const MatrixRecord>(std::move(current));
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
