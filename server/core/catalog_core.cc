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

// The same bytes, wherever they lie.
bool IsSame(const MatrixRecord& one, const MatrixRecord& other) {
  const auto parts = SegmentsOf(one);
  const auto others = SegmentsOf(other);
  return std::equal(parts.begin(), parts.end(), others.begin(), others.end(),
                    [](const SegmentPart& a, const SegmentPart& b) {
                      return a.segment->token == b.segment->token;
                    });
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
  if (!IsSame(*replaced, *found->second)) Unname(replaced);
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

CatalogCore::Held& CatalogCore::Hold(const SegmentPart& part) {
  const auto [found, is_new] = held_.try_emplace(part.segment->token);
  if (is_new) {
    found->second.source = *part.segment;
    found->second.bytes = part.bytes;
    Index(*part.segment);
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
  for (const SegmentPart& part : SegmentsOf(*matrix)) {
    Hold(part).names.insert(matrix->name);
  }
  matrix = Current(matrix);
}

void CatalogCore::Unname(const MatrixPtr& matrix) {
  for (const SegmentPart& part : SegmentsOf(*matrix)) {
    held_.at(part.segment->token).names.erase(matrix->name);
    ReleaseIfUnneeded(part.segment->token);
  }
}

void CatalogCore::Use(const MatrixPtr& matrix) {
  for (const SegmentPart& part : SegmentsOf(*matrix)) ++Hold(part).uses;
}

void CatalogCore::Unuse(const MatrixPtr& matrix) {
  for (const SegmentPart& part : SegmentsOf(*matrix)) {
    --held_.at(part.segment->token).uses;
    ReleaseIfUnneeded(part.segment->token);
  }
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
  has_moved_ = true;
  moved_names_.insert(held.names.begin(), held.names.end());
}

CatalogCore::Moved CatalogCore::TakeMoved() {
  Moved moved{std::exchange(has_moved_, false), {}};
  for (const std::string& name : std::exchange(moved_names_, {})) {
    const auto found = by_name_.find(name);
    if (found == by_name_.end()) continue;
    found->second = Current(found->second);
    moved.names.push_back(name);
  }
  return moved;
}

MatrixPtr CatalogCore::Current(const MatrixPtr& matrix) const {
  const auto parts = SegmentsOf(*matrix);
  const auto is_current = [this](const SegmentPart& part) {
    const Held* held = Find(part.segment->token);
    return held == nullptr || held->source == *part.segment;
  };
  if (std::all_of(parts.begin(), parts.end(), is_current)) return matrix;
  MatrixRecord current = *matrix;
  const auto refresh = [this](SegmentSource& segment) {
    if (const Held* held = Find(segment.token)) segment = held->source;
  };
  if (auto* spread = std::get_if<SpreadSource>(&current.source)) {
    for (Piece& piece : spread->pieces) refresh(piece.segment);
  } else {
    refresh(std::get<SegmentSource>(current.source));
  }
  return std::make_shared<const MatrixRecord>(std::move(current));
}

std::int64_t RowBlocksOf(const MatrixRecord& matrix) {
  return Partition(matrix.layout).block_count();
}

RowRange RowsOf(const MatrixRecord& matrix, std::int64_t block_begin,
                std::int64_t block_end) {
  const std::int64_t rows = matrix.layout.row_count();
  const bool by_rows =
      matrix.layout.order == Order::kC || matrix.layout.axis_count() <= 1;
  const std::int64_t elements = matrix.layout.element_count();
  const std::int64_t row_elements = rows > 0 ? elements / rows : 0;
  if (!by_rows || row_elements == 0) return {0, rows};
  const RowBlock run = Partition(matrix.layout).Joined(block_begin, block_end);
  return {run.element_begin / row_elements,
          (run.element_end() + row_elements - 1) / row_elements};
}

std::vector<Shard> ShardsOf(const MatrixRecord& matrix) {
  std::vector<Shard> shards;
  if (std::holds_alternative<SpreadSource>(matrix.source)) {
    for (const SegmentPart& part : SegmentsOf(matrix)) {
      shards.push_back(
          {RowsOf(matrix, part.block_begin, part.block_end), part.segment});
    }
    return shards;
  }
  const auto* whole = std::get_if<SegmentSource>(&matrix.source);
  const Partition partition(matrix.layout);
  for (std::int64_t first = 0; first < partition.block_count();
       first += partition.blocks_per_shard()) {
    const std::int64_t end =
        std::min(first + partition.blocks_per_shard(), partition.block_count());
    shards.push_back({RowsOf(matrix, first, end), whole});
  }
  return shards;
}

}  // namespace hearth::server
