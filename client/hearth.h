// Hearth for C++ programs: one read-only matrix, every process around it.
//
//   auto cluster = hearth::Cluster::Local({.workers = 5});
//   auto job = cluster->Run("mean", {.matrix = "/data/big.npy",
//                                    .arguments = {{"axis", "0"}}});
//
// Every call that can fail returns absl::Status or absl::StatusOr, whose
// messages are sentences; no exception crosses this border. Installed as
// <hearth/hearth.h>; link hearth::hearth.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "hearth/matrix/layout.h"

namespace hearth {

class ClusterState;  // a connection, and an embedded cluster where there is one
struct MatrixArgumentSource;
namespace client {
struct MatrixFile;    // a file, opened and its header read
class SharedSegment;  // a matrix's bytes, for other languages
}  // namespace client
class MappedBytes;  // bytes that this process can read, however it came by them

// A sealed matrix, mapped read-only.
//
// Kind:    value-like handle to an immutable mapping: copies share it.
// Threads: any.
class Matrix {
 public:
  // For the library itself: `bytes` come from Load, Open, Get or Seal.
  explicit Matrix(std::shared_ptr<const MappedBytes> bytes);

  // Maps a file in place. The file must not shrink while a view of it is read:
  // what the kernel then sends is a SIGBUS.
  static absl::StatusOr<Matrix> Load(absl::string_view path);
  static absl::StatusOr<Matrix> Load(MatrixArgumentSource file);
  // Opens a handle that this or another process of this host gave out.
  static absl::StatusOr<Matrix> Open(absl::string_view handle);

  const MatrixLayout& layout() const;
  // Rows [begin, end) of axis 0, in C order; BAD_PARAMETER outside the matrix,
  // and for a matrix in Fortran order that is not wanted whole.
  absl::StatusOr<std::span<const std::byte>> Rows(std::int64_t begin,
                                                  std::int64_t end) const;
  std::span<const std::byte> bytes() const;  // all of it, in storage order
  std::string file() const;  // that it lies in; empty: in memory

  // Under 200 bytes that stand for the matrix, or for its file. Another process
  // of this user on this host opens them, also after this process has ended, as
  // long as one of its ancestors lives.
  absl::StatusOr<std::string> Handle() const;

 private:
  friend class OpenMatrix;
  friend class Cluster;
  friend class client::SharedSegment;
  std::shared_ptr<const MappedBytes> bytes_;
};

// A matrix that is still being filled, by this process or several at once.
//
// Kind:    resource; moves. Threads: Rows from any, Seal from one.
class OpenMatrix {
 public:
  // RESOURCE_EXHAUSTED, before any page is touched, when a host's or a cgroup's
  // limit does not allow it.
  static absl::StatusOr<OpenMatrix> Create(ElementType type, Shape shape,
                                           Order order = Order::kC);
  static absl::StatusOr<OpenMatrix> Open(absl::string_view handle);

  OpenMatrix(OpenMatrix&&) noexcept;
  OpenMatrix& operator=(OpenMatrix&&) noexcept;
  ~OpenMatrix();

  const MatrixLayout& layout() const;
  absl::StatusOr<std::span<std::byte>> Rows(std::int64_t begin,
                                            std::int64_t end);
  // As Matrix::Handle, for processes that help to fill.
  absl::StatusOr<std::string> Handle() const;
  // No process can change it any more. Fails, naming the pids, while another
  // process maps it writable. What Rows gave stays valid, read-only.
  absl::StatusOr<Matrix> Seal() &&;

 private:
  struct State;
  explicit OpenMatrix(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
};

// One array of a result, in `order`, native byte order.
struct ResultField {
  std::string name;  // empty when the operation has one output
  MatrixLayout layout;
  std::shared_ptr<const MappedBytes> bytes_owner;
  std::span<const std::byte> bytes;
};

// What one host did for a job.
struct HostStatistics {
  std::string host;
  int workers = 0;
  std::int64_t bytes_mapped = 0;
  std::int64_t bytes_streamed = 0;
  std::int64_t bytes_copied = 0;
  std::int64_t bytes_converted = 0;
  double busy_seconds = 0;  // of its threads together
};

struct JobStatistics {
  double seconds = 0;
  int workers = 0;
  std::int64_t row_blocks = 0;
  std::int64_t bytes_mapped = 0;
  std::int64_t bytes_streamed = 0;
  std::int64_t bytes_copied = 0;
  std::int64_t bytes_converted = 0;
  std::int64_t retries = 0;
  std::vector<HostStatistics> hosts;
};

struct JobResult {
  std::vector<ResultField> fields;
  JobStatistics statistics;
};

struct JobSummary {
  std::string id;
  std::string operation;
  std::string matrix;
  std::string state;  // "running", "done", "failed", "cancelled"
  std::int64_t done = 0;
  std::int64_t total = 0;
};

// A submitted computation.
//
// Kind:    value-like handle. Threads: any.
class Job {
 public:
  const std::string& id() const { return id_; }
  // Blocks until it ends; `progress` is called about ten times a second.
  absl::StatusOr<JobResult> Wait(
      const std::function<void(const JobSummary&)>& progress = nullptr) const;
  absl::Status Cancel() const;

 private:
  friend class Cluster;
  Job(std::shared_ptr<ClusterState> cluster, std::string id)
      : cluster_(std::move(cluster)), id_(std::move(id)) {}
  std::shared_ptr<ClusterState> cluster_;
  std::string id_;
};

// What an operation is to be computed of.
struct MatrixArgumentSource {
  std::string text;  // a name in the cluster, or a file as CONTRACT says
  // Raw files only.
  std::string dtype;
  std::optional<Shape> shape;
  std::int64_t offset = 0;
  Order order = Order::kC;
};

struct Submission {
  std::string matrix;
  std::map<std::string, std::string> arguments = {};
  int workers_max = 0;                                        // 0: all
  std::optional<MatrixArgumentSource> source = std::nullopt;  // else `matrix`
  std::string replay_command = {};
};

// Where every byte of a computation would come from, and how long each host
// would be at it: by what earlier jobs of the kind took and what their streams
// got, or else by how fast a core reads memory.
struct Explanation {
  struct Host {
    std::string host;
    int workers = 0;
    // "memory" or the file where the host has the bytes. Where it has not:
    // "streamed"; "none", since the job ends sooner without; or, with no stream
    // to it measured yet, "streamed if sooner".
    std::string source;
    std::int64_t bytes_mapped = 0;
    std::int64_t bytes_streamed = 0;
    std::int64_t bytes_copied = 0;
    std::int64_t bytes_converted = 0;  // from foreign byte order
    double seconds_expected = 0;       // from measured bandwidths
  };
  std::int64_t row_blocks = 0;
  std::vector<Host> hosts;
};

// What a computation will give: fields and layouts, without their bytes.
struct Declaration {
  MatrixLayout matrix;
  std::vector<ResultField> results;
};

// Ok if it is a name, or a file that exists and whose header is sound.
absl::Status CheckSource(const MatrixArgumentSource& source);

struct MatrixInfo {
  std::string name;
  MatrixLayout layout;
  bool sealed = true;
  std::string file;        // "FILE", "FILE.npz:MEMBER"; empty: in memory
  bool in_pieces = false;  // on several hosts, each a part of it
  std::int64_t page_bytes = 0;
  std::int64_t row_blocks = 0;
  struct Shard {
    std::int64_t row_begin = 0;
    std::int64_t row_end = 0;
    std::vector<std::string> workers;
  };
  std::vector<Shard> shards;
};

struct WorkerInfo {
  std::string id;
  std::string host;
  int pid = 0;
  std::string address;
  std::string state;
  std::int64_t own = 0;  // bytes, of memory
  std::int64_t shared = 0;
  std::int64_t proportional = 0;
  std::string ended;
  int thread_count = 1;
};

struct LocalOptions {
  int workers = 0;     // 0: one a core
  int threads = 0;     // of a worker; 0: cores / workers, at least 1
  std::string binary;  // of hearth; empty: HEARTH_BINARY, else found in PATH
};

// For TCP; a Unix socket needs none of it.
struct ConnectOptions {
  // Folder with credentials; empty: $HEARTH_TLS_DIR, else ~/.config/hearth/tls.
  std::string tls_dir = {};
  bool insecure = false;  // without any; the coordinator must say so, too
};

// A connection to a coordinator, with a cluster of its own behind it if Local.
//
// Kind:    value-like handle; the last copy ends an embedded cluster.
// Threads: any.
class Cluster {
 public:
  static absl::StatusOr<Cluster> Local(LocalOptions options = {});
  // "unix-abstract:NAME", "unix:PATH" or "host:port", as a ready line printed
  // it.
  static absl::StatusOr<Cluster> Connect(absl::string_view address,
                                         ConnectOptions options = {});

  // What another process connects to: of a local cluster, of this host.
  const std::string& address() const;

  struct PutOptions {
    bool copy = false;
    bool replace = false;
    // Hosts that hold its bytes in memory once it is put; more than one needs
    // `copy`.
    int replicas = 1;
  };
  absl::StatusOr<MatrixInfo> Put(absl::string_view name,
                                 const MatrixArgumentSource& file,
                                 PutOptions options) const;
  absl::StatusOr<MatrixInfo> Put(absl::string_view name, const Matrix& matrix,
                                 PutOptions options) const;

  // A matrix in memory of random numbers (see hearth make).
  absl::StatusOr<MatrixInfo> Make(absl::string_view name,
                                  const MatrixLayout& layout,
                                  std::uint64_t seed, int replicas = 1) const;

  absl::StatusOr<std::vector<MatrixInfo>> List() const;
  absl::StatusOr<MatrixInfo> Info(absl::string_view name) const;
  // Of a matrix in pieces, which no host had room for, a copy in memory of
  // ours: OUT_OF_MEMORY where this host has no room, either. Read and Rows need
  // none.
  absl::StatusOr<Matrix> Get(absl::string_view name) const;
  // Mapped, if this host has it whole; nothing is brought here.
  absl::StatusOr<std::optional<Matrix>> Here(absl::string_view name) const;
  // Rows [begin, end) alone, mapped or in memory of ours; BAD_PARAMETER outside
  // the matrix, and for one in Fortran order that is not wanted whole.
  absl::StatusOr<Matrix> Rows(absl::string_view name, std::int64_t begin,
                              std::int64_t end) const;
  // Their bytes in storage order, a few MiB at a time, however large they are.
  // An error of `sink` ends it.
  using Sink = std::function<absl::Status(std::span<const std::byte>)>;
  absl::Status Read(absl::string_view name, std::int64_t begin,
                    std::int64_t end, const Sink& sink) const;
  // A name, or a file that needs no cluster.
  absl::StatusOr<Matrix> Open(const MatrixArgumentSource& source) const;
  absl::Status Remove(absl::string_view name) const;

  absl::StatusOr<Job> Submit(absl::string_view operation,
                             const Submission& submission) const;
  absl::StatusOr<JobResult> Run(absl::string_view operation,
                                const Submission& submission) const;
  // What Run would do, without doing it; refuses what Run would refuse.
  absl::StatusOr<Declaration> Declare(absl::string_view operation,
                                      const Submission& submission) const;
  absl::StatusOr<Explanation> Explain(absl::string_view operation,
                                      const Submission& submission) const;
  absl::Status CancelJob(absl::string_view id) const;
  absl::StatusOr<std::vector<JobSummary>> Jobs() const;
  absl::StatusOr<std::vector<WorkerInfo>> Workers() const;
  // Empties a worker and lets it go; returns the bytes that moved to other
  // hosts. Waits for that; the worker stays where they have nowhere to go.
  absl::StatusOr<std::int64_t> Drain(absl::string_view worker) const;

 private:
  absl::StatusOr<MatrixInfo> PutFile(absl::string_view name,
                                     const client::MatrixFile& file,
                                     const PutOptions& options) const;
  absl::Status CheckFree(absl::string_view attempt,
                         absl::string_view name) const;
  absl::StatusOr<MatrixLayout> LayoutOf(
      const MatrixArgumentSource& source) const;
  absl::Status CheckHosts(absl::string_view attempt, absl::string_view name,
                          int replicas) const;
  bool IsWorthSpreading(const absl::Status& whole) const;
  explicit Cluster(std::shared_ptr<ClusterState> state)
      : state_(std::move(state)) {}
  std::shared_ptr<ClusterState> state_;
};

}  // namespace hearth
