#include "server/service/wire.h"

#include <google/protobuf/io/coded_stream.h>
#include <google/protobuf/io/zero_copy_stream_impl_lite.h>

#include <algorithm>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "hearth/base/error.h"
#include "hearth/base/status.h"
#include "hearth/matrix/partition.h"
#include "hearth/transport/control/codec.h"
#include "server/core/spread_plan.h"

namespace hearth::server {
namespace {

constexpr std::size_t kReplicasMax = 1024;
constexpr int kSampleMax = 64;                      // hearth/shm/file_sample.h
constexpr std::size_t kMemberBytesMax = 64 * 1024;  // what a .zip can name

LeafRun FromWire(const proto::Run& run) { return {run.begin(), run.end()}; }

void SetRun(const LeafRun& run, proto::Run& message) {
  message.set_begin(run.begin);
  message.set_end(run.end);
}

Commit FromWire(const proto::Commit& commit) {
  return {.task = TaskId{commit.task()},
          .job = JobId{commit.job()},
          .round = commit.round(),
          .run = FromWire(commit.run()),
          .partial = server::FromWire(commit.partial()),
          .written_to = FromProto(commit.written_to()),
          .busy = absl::Nanoseconds(commit.busy_ns()),
          .traffic = server::FromWire(commit.traffic()),
          .is_kept = commit.is_kept(),
          .task_done = commit.task_done()};
}

PlanReady FromWire(const proto::PlanReady& ready) {
  PlanReady report{
      .task = TaskId{ready.task()}, .job = JobId{ready.job()}, .plan = {}};
  report.plan.leaf_count = ready.leaf_count();
  report.plan.concatenates = ready.concatenates();
  report.plan.partial_bytes_max = ready.partial_bytes_max();
  report.plan.result_bytes = ready.result_bytes();
  report.plan.result = server::FromWire(ready.result());
  report.plan.max_run_leaves = ready.max_run_leaves();
  report.plan.needs_whole_matrix = ready.needs_whole_matrix();
  report.plan.description = ready.description().SerializeAsString();
  return report;
}

FinishDone FromWire(const proto::FinishDone& done) {
  FinishDone report{.task = TaskId{done.task()},
                    .job = JobId{done.job()},
                    .round = done.round(),
                    .next_state = std::nullopt,
                    .results = {}};
  if (done.has_next_state())
    report.next_state = server::FromWire(done.next_state());
  for (const auto& result : done.results()) {
    report.results.push_back(server::FromWire(result));
  }
  return report;
}

InputMissing FromWire(const proto::InputMissing& missing) {
  InputMissing report{.task = TaskId{missing.task()},
                      .job = JobId{missing.job()},
                      .round = missing.round(),
                      .tokens = {}};
  for (const auto& token : missing.tokens()) {
    report.tokens.push_back(FromProto(token));
  }
  return report;
}

}  // namespace

namespace {

absl::StatusOr<SegmentSource> FromWire(const proto::SegmentSource& message) {
  SegmentSource segment{
      .token = FromProto(message.token()),
      .replicas = {},
      .replicas_wanted = std::clamp(message.replicas_wanted(), 1,
                                    static_cast<int>(kReplicasMax))};
  for (const proto::Replica& replica : message.replicas()) {
    segment.replicas.push_back({FromProto(replica.token()), replica.host()});
  }
  const bool is_whole =
      !segment.token.zero() && !segment.replicas.empty() &&
      segment.replicas.size() <= kReplicasMax &&
      std::none_of(segment.replicas.begin(), segment.replicas.end(),
                   [](const Replica& one) {
                     return one.token.zero() || one.host.empty();
                   });
  if (is_whole) return segment;
  return Error(Reason::kBadUsage,
               absl::StrCat("read a matrix record: its segment names ",
                            segment.replicas.size(),
                            " places, or one without a token or a host; 1 to ",
                            kReplicasMax, " are allowed"));
}

}  // namespace

namespace {

absl::StatusOr<FileSource> FromWire(const proto::FileSource& file) {
  if (file.path().empty() || file.path()[0] != '/' ||
      file.payload_offset() < 0 || file.size() < 0 ||
      file.sample_checksums_size() > kSampleMax ||
      file.member().size() > kMemberBytesMax) {
    return Error(Reason::kBadUsage,
                 absl::StrCat("read a matrix record: its file \"", file.path(),
                              "\" is not an absolute path with "
                              "an offset, a size and a sample"));
  }
  return FileSource{.path = file.path(),
                    .device = file.device(),
                    .inode = file.inode(),
                    .size_bytes = file.size(),
                    .mtime_ns = file.mtime_ns(),
                    .payload_offset = file.payload_offset(),
                    .sample_seed = file.sample_seed(),
                    .sample_checksums = {file.sample_checksums().begin(),
                                         file.sample_checksums().end()},
                    .member = file.member()};
}

// Runs of blocks, the first from 0, each where the one before it ends, the last
// to the end of the matrix.
absl::StatusOr<SpreadSource> FromWire(const proto::SpreadSource& message,
                                      const MatrixLayout& layout) {
  SpreadSource spread{.token = FromProto(message.token()), .pieces = {}};
  std::int64_t end = 0;
  for (const proto::Piece& piece : message.pieces()) {
    if (piece.block_begin() != end || piece.block_end() <= end) break;
    end = piece.block_end();
    HEARTH_ASSIGN_OR_RETURN(SegmentSource segment, FromWire(piece.segment()));
    spread.pieces.push_back(
        {piece.block_begin(), piece.block_end(), std::move(segment)});
  }
  if (std::ssize(spread.pieces) == message.pieces_size() &&
      message.pieces_size() >= 2 && message.pieces_size() <= kPiecesMax &&
      end == Partition(layout).block_count()) {
    return spread;
  }
  return Error(Reason::kBadUsage,
               absl::StrCat("read a matrix record: its ", message.pieces_size(),
                            " pieces are not all of it in order, or not 2 to ",
                            kPiecesMax));
}

void Fill(const SegmentSource& segment, const MembershipCore& members,
          proto::SegmentSource& to) {
  *to.mutable_token() = ToProto(segment.token);
  to.set_replicas_wanted(segment.replicas_wanted);
  for (const Replica& replica : segment.replicas) {
    *to.add_replicas() = server::ToWire(replica, members);
  }
}

void Fill(const FileSource& file, proto::FileSource& to) {
  to.set_path(file.path);
  to.set_device(file.device);
  to.set_inode(file.inode);
  to.set_size(file.size_bytes);
  to.set_mtime_ns(file.mtime_ns);
  to.set_payload_offset(file.payload_offset);
  to.set_sample_seed(file.sample_seed);
  to.mutable_sample_checksums()->Add(file.sample_checksums.begin(),
                                     file.sample_checksums.end());
  to.set_member(file.member);
}

}  // namespace

absl::StatusOr<OriginPtr> FromWire(const proto::Origin& message,
                                   const MatrixLayout& layout) {
  auto origin = std::make_shared<Origin>();
  origin->token = FromProto(message.token());
  if (message.has_random()) {
    origin->from = RandomNumbers{message.random().seed(), layout.type};
  } else if (message.has_file()) {
    HEARTH_ASSIGN_OR_RETURN(origin->from, FromWire(message.file()));
  }
  if (message.has_holder()) {
    origin->holder = {FromProto(message.holder().token()),
                      message.holder().host()};
  }
  const bool is_sound =
      !origin->token.zero() && (message.has_random() || message.has_file()) &&
      origin->holder.token.zero() == origin->holder.host.empty();
  if (is_sound) return OriginPtr(std::move(origin));
  return Error(Reason::kBadUsage,
               "put a matrix: what it is to be made of is neither numbers nor "
               "a file, or has no token");
}

proto::Origin ToWire(const Origin& origin, const MembershipCore& members) {
  proto::Origin message;
  *message.mutable_token() = ToProto(origin.token);
  if (const auto* random = std::get_if<RandomNumbers>(&origin.from)) {
    message.mutable_random()->set_seed(random->seed);
    message.mutable_random()->set_element_type(
        static_cast<std::uint32_t>(random->type));
  } else {
    Fill(std::get<FileSource>(origin.from), *message.mutable_file());
  }
  if (!origin.holder.token.zero()) {
    *message.mutable_holder() = ToWire(origin.holder, members);
  }
  return message;
}

proto::Replica ToWire(const Replica& replica, const MembershipCore& members) {
  proto::Replica message;
  *message.mutable_token() = ToProto(replica.token);
  message.set_host(replica.host);
  for (std::string& address : members.AddressesAt(replica.host)) {
    message.add_addresses(std::move(address));
  }
  return message;
}

absl::StatusOr<MatrixRecord> FromWire(const proto::MatrixRecord& message) {
  MatrixRecord record;
  record.name = message.name();
  HEARTH_ASSIGN_OR_RETURN(record.layout, FromProto(message.layout()));
  if (message.has_segment()) {
    HEARTH_ASSIGN_OR_RETURN(record.source, FromWire(message.segment()));
  } else if (message.has_file()) {
    HEARTH_ASSIGN_OR_RETURN(record.source, FromWire(message.file()));
  } else if (message.has_spread()) {
    HEARTH_ASSIGN_OR_RETURN(record.source,
                            FromWire(message.spread(), record.layout));
  } else if (message.has_unmade()) {
    record.source = Unmade();
  } else {
    return Error(Reason::kBadUsage,
                 "read a matrix record: it names neither segment nor file");
  }
  record.page_bytes = message.page_bytes();
  record.sealed = message.sealed();
  return record;
}

proto::MatrixRecord ToWire(const MatrixRecord& record,
                           const MembershipCore& members) {
  proto::MatrixRecord message;
  message.set_name(record.name);
  *message.mutable_layout() = ToProto(record.layout);
  if (const auto* segment = std::get_if<SegmentSource>(&record.source)) {
    Fill(*segment, members, *message.mutable_segment());
  } else if (const auto* spread = std::get_if<SpreadSource>(&record.source)) {
    proto::SpreadSource& to = *message.mutable_spread();
    *to.mutable_token() = ToProto(spread->token);
    for (const Piece& piece : spread->pieces) {
      proto::Piece& one = *to.add_pieces();
      one.set_block_begin(piece.block_begin);
      one.set_block_end(piece.block_end);
      Fill(piece.segment, members, *one.mutable_segment());
    }
  } else if (const auto* file = std::get_if<FileSource>(&record.source)) {
    Fill(*file, *message.mutable_file());
  } else {
    message.mutable_unmade();
  }
  message.set_page_bytes(record.page_bytes);
  message.set_sealed(record.sealed);
  return message;
}

BytesRef FromWire(const proto::BytesRef& message) {
  return {.inline_bytes = message.inline_bytes(),
          .token = FromProto(message.token()),
          .host = message.host(),
          .bytes = message.bytes()};
}

proto::BytesRef ToWire(const BytesRef& bytes, const MembershipCore& members) {
  proto::BytesRef message;
  if (bytes.has_token()) {
    *message.mutable_token() = ToProto(bytes.token);
    message.set_host(bytes.host);
    message.set_bytes(bytes.bytes);
    for (std::string& address : members.AddressesAt(bytes.host)) {
      message.add_addresses(std::move(address));
    }
  } else {
    message.set_inline_bytes(bytes.inline_bytes);
  }
  return message;
}

absl::StatusOr<std::vector<Report>> FromWire(const proto::Reports& message) {
  std::vector<Report> reports;
  reports.reserve(static_cast<std::size_t>(message.reports_size()));
  for (const proto::Report& report : message.reports()) {
    switch (report.report_case()) {
      case proto::Report::kCommit:
        reports.push_back(FromWire(report.commit()));
        break;
      case proto::Report::kTaskFailed:
        reports.push_back(TaskFailed{
            TaskId{report.task_failed().task()},
            JobId{report.task_failed().job()}, report.task_failed().round(),
            FromProto(report.task_failed().failure())});
        break;
      case proto::Report::kInputMissing:
        reports.push_back(FromWire(report.input_missing()));
        break;
      case proto::Report::kPlanReady:
        reports.push_back(FromWire(report.plan_ready()));
        break;
      case proto::Report::kFinishDone:
        reports.push_back(FromWire(report.finish_done()));
        break;
      case proto::Report::kSegmentCopied:
        reports.push_back(SegmentCopied{
            .order = report.segment_copied().order(),
            .status = FromProto(report.segment_copied().failure()),
            .token = FromProto(report.segment_copied().token())});
        break;
      case proto::Report::REPORT_NOT_SET:
        return Error(Reason::kBadUsage, "read a worker's report: it is empty");
    }
  }
  return reports;
}

Traffic FromWire(const proto::Traffic& traffic) {
  return {traffic.bytes_mapped(), traffic.bytes_streamed(),
          traffic.bytes_copied(), traffic.bytes_converted()};
}

proto::Traffic ToWire(const Traffic& traffic) {
  proto::Traffic message;
  message.set_bytes_mapped(traffic.bytes_mapped);
  message.set_bytes_streamed(traffic.bytes_streamed);
  message.set_bytes_copied(traffic.bytes_copied);
  message.set_bytes_converted(traffic.bytes_converted);
  return message;
}

std::string Opaque(
    const google::protobuf::Map<std::string, std::string>& arguments) {
  proto::Arguments message;
  *message.mutable_text() = arguments;
  std::string bytes;
  google::protobuf::io::StringOutputStream stream(&bytes);
  google::protobuf::io::CodedOutputStream coded(&stream);
  coded.SetSerializationDeterministic(true);
  message.SerializeToCodedStream(&coded);
  coded.Trim();
  return bytes;
}

absl::StatusOr<JobSpec> FromWire(const proto::SubmitRequest& message) {
  JobSpec spec;
  spec.operation = message.operation();
  spec.arguments = Opaque(message.arguments());
  if (message.has_record()) {
    HEARTH_ASSIGN_OR_RETURN(spec.matrix, FromWire(message.record()));
  } else {
    spec.matrix = message.name();
  }
  for (const auto& [name, record] : message.matrices()) {
    if (!record.has_file() && !record.has_segment() && !record.has_spread()) {
      spec.parameters[name] = record.name();
    } else {
      HEARTH_ASSIGN_OR_RETURN(spec.parameters[name], FromWire(record));
    }
  }
  spec.max_workers = message.workers_max();
  spec.replay = message.replay_command();
  return spec;
}

proto::Brief ToWire(const Brief& brief, const MembershipCore& members) {
  proto::Brief message;
  message.set_job(NumberOf(brief.job));
  message.set_round(brief.round);
  message.set_operation(brief.order->operation);
  message.mutable_arguments()->ParseFromString(brief.order->arguments);
  *message.mutable_matrix() = ToWire(*brief.order->matrix, members);
  for (const auto& [name, matrix] : brief.order->parameters) {
    (*message.mutable_parameters())[name] = ToWire(*matrix, members);
  }
  if (brief.plan != nullptr) {
    message.set_leaf_count(brief.plan->leaf_count);
    message.set_concatenates(brief.plan->concatenates);
    if (brief.plan->result.has_token()) {
      *message.mutable_result() = ToWire(brief.plan->result, members);
    }
  }
  *message.mutable_state() = ToWire(brief.state, members);
  return message;
}

proto::Task ToWire(const Task& task, const MembershipCore& members) {
  proto::Task message;
  message.set_id(NumberOf(task.id));
  switch (task.kind) {
    case TaskKind::kPlan:
      message.set_kind(proto::TASK_KIND_PLAN);
      break;
    case TaskKind::kCompute:
      message.set_kind(proto::TASK_KIND_COMPUTE);
      break;
    case TaskKind::kCombine:
      message.set_kind(proto::TASK_KIND_COMBINE);
      break;
    case TaskKind::kFinish:
      message.set_kind(proto::TASK_KIND_FINISH);
      break;
  }
  message.set_job(NumberOf(task.job));
  message.set_round(task.round);
  SetRun(task.run, *message.mutable_run());
  for (const RunInput& input : task.inputs) {
    proto::RunInput& to = *message.add_inputs();
    SetRun(input.run, *to.mutable_run());
    *to.mutable_partial() = ToWire(input.partial, members);
  }
  return message;
}

}  // namespace hearth::server
