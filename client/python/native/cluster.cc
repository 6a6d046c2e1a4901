#include <nanobind/nanobind.h>
#include <nanobind/stl/function.h>
#include <nanobind/stl/map.h>
#include <nanobind/stl/optional.h>
#include <nanobind/stl/pair.h>
#include <nanobind/stl/string.h>
#include <nanobind/stl/tuple.h>
#include <nanobind/stl/vector.h>
#include <unistd.h>

#include <atomic>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <tuple>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "client/hearth.h"
#include "client/python/native/segment.h"
#include "client/python/native/status.h"
#include "client/shared_segment.h"
#include "hearth/base/error.h"
#include "hearth/compute/registry.h"

namespace hearth::python {
namespace {

using client::SharedSegment;

// A dtype's text, "C" or "F", a shape.
using PlainLayout = std::tuple<std::string, std::string, Shape>;

PlainLayout PlainOf(const MatrixLayout& layout) {
  return {TextOf(layout), layout.order == Order::kC ? "C" : "F", layout.shape};
}

nb::dict DictOf(const MatrixInfo& info) {
  nb::dict dict;
  dict["name"] = info.name;
  dict["dtype"] = std::string(NameOf(info.layout.type));
  dict["shape"] = info.layout.shape;
  dict["order"] = info.layout.order == Order::kC ? "C" : "F";
  dict["bytes"] = info.layout.bytes();
  dict["layout"] = PlainOf(info.layout);  // with the order of bytes, too
  dict["sealed"] = info.sealed;
  dict["source"] = info.file.empty() ? "memory" : "file";
  dict["file"] = info.file;
  dict["page_bytes"] = info.page_bytes;
  dict["row_blocks"] = info.row_blocks;
  nb::list shards;
  for (const MatrixInfo::Shard& shard : info.shards) {
    nb::dict one;
    one["rows"] = std::pair(shard.row_begin, shard.row_end);
    one["workers"] = shard.workers;
    shards.append(one);
  }
  dict["shards"] = shards;
  return dict;
}

nb::dict DictOf(const WorkerInfo& worker) {
  nb::dict memory;
  memory["own"] = worker.own;
  memory["shared"] = worker.shared;
  memory["proportional"] = worker.proportional;
  nb::dict dict;
  dict["id"] = worker.id;
  dict["host"] = worker.host;
  dict["pid"] = worker.pid;
  dict["address"] = worker.address;
  dict["state"] = worker.state;
  dict["memory"] = memory;
  dict["ended"] = worker.ended.empty()
                      ? nb::object(nb::none())
                      : nb::object(nb::str(worker.ended.c_str()));
  return dict;
}

nb::dict DictOf(const JobSummary& job) {
  nb::dict dict;
  dict["id"] = job.id;
  dict["operation"] = job.operation;
  dict["matrix"] = job.matrix;
  dict["state"] = job.state;
  dict["done"] = job.done;
  dict["total"] = job.total;
  return dict;
}

nb::dict DictOf(const JobStatistics& statistics) {
  nb::dict dict;
  dict["seconds"] = statistics.seconds;
  dict["workers"] = statistics.workers;
  dict["row_blocks"] = statistics.row_blocks;
  dict["bytes_mapped"] = statistics.bytes_mapped;
  dict["bytes_streamed"] = statistics.bytes_streamed;
  dict["bytes_copied"] = statistics.bytes_copied;
  dict["bytes_converted"] = statistics.bytes_converted;
  dict["retries"] = statistics.retries;
  return dict;
}

nb::dict DictOf(const Explanation& explanation) {
  nb::list hosts;
  for (const Explanation::Host& host : explanation.hosts) {
    nb::dict one;
    one["host"] = host.host;
    one["workers"] = host.workers;
    one["source"] = host.source;
    one["bytes_mapped"] = host.bytes_mapped;
    one["bytes_streamed"] = host.bytes_streamed;
    one["bytes_copied"] = host.bytes_copied;
    one["bytes_converted"] = host.bytes_converted;
    one["seconds_expected"] = host.seconds_expected;
    hosts.append(one);
  }
  nb::dict dict;
  dict["row_blocks"] = explanation.row_blocks;
  dict["hosts"] = hosts;
  return dict;
}

// A file as users name it, or a name.
using Source = std::tuple<std::string, std::string, std::optional<Shape>,
                          std::int64_t, std::string>;

MatrixArgumentSource SourceOf(const Source& source) {
  const auto& [text, dtype, shape, offset, order] = source;
  return {.text = text,
          .dtype = dtype,
          .shape = shape,
          .offset = offset,
          .order = order == "F" ? Order::kFortran : Order::kC};
}

using Arguments = std::map<std::string, std::string>;

Submission SubmissionOf(const Source& source, const Arguments& arguments,
                        int workers_max) {
  Submission submission{.matrix = std::get<0>(source),
                        .arguments = arguments,
                        .workers_max = workers_max};
  submission.source = SourceOf(source);
  return submission;
}

// A connection that a forked child inherits is not the child's: its threads
// stayed with the parent.
//
// Kind: resource. Threads: any.
class Connection {
 public:
  explicit Connection(Cluster cluster)
      : address_(cluster.address()), cluster_(std::move(cluster)) {}
  Connection(Connection&& other) noexcept = default;
  ~Connection() {
    if (pid_ == getpid()) {
      Close();
    } else if (cluster_.has_value()) {
      new Cluster(*std::move(cluster_));  // never ended from here
    }
  }

  const std::string& address() const { return address_; }
  bool closed() const { return !cluster_.has_value(); }

  Cluster Use() const {
    if (pid_ != getpid()) {
      Raise(Error(Reason::kBadUsage,
                  absl::StrCat("use a cluster in a forked process: the "
                               "connection is process ",
                               pid_,
                               "'s; start this one with spawn or forkserver, "
                               "and call hearth.connect(\"",
                               address_, "\") there")));
    }
    if (!cluster_.has_value()) {
      Raise(Error(Reason::kClusterEnded,
                  absl::StrCat("use the cluster at ", address_,
                               ": it was closed; connect again")));
    }
    return *cluster_;
  }

  void Close() {
    if (pid_ != getpid() || !cluster_.has_value()) return;
    std::optional<Cluster> last = std::move(cluster_);
    cluster_.reset();
    Unlocked([&] { last.reset(); });
  }

 private:
  pid_t pid_ = getpid();
  std::string address_;
  std::optional<Cluster> cluster_;
};

// A call of a Cluster without the interpreter's lock, its failure raised.
template <class Call>
auto On(const Connection& connection, Call call) {
  Cluster cluster = connection.Use();
  return Take(
      Unlocked([&, moved = std::move(cluster)] { return call(moved); }));
}

// A job that this process submitted.
using OwnJob = Own<Job>;

// Ends what a job's last word was: its fields, each a name, a segment and its
// layout; and what it took.
nb::tuple WaitFor(const OwnJob& job, const nb::object& progress) {
  job.CheckOwn("wait for a job");
  const auto tell = [&](const JobSummary& summary) {
    ComeBack();
    const nb::gil_scoped_acquire locked;
    try {
      progress(summary.done, summary.total);
    } catch (nb::python_error& error) {
      error.discard_as_unraisable("progress of a job");
    }
  };
  JobResult result = Take(Unlocked(
      [&] { return progress.is_none() ? job->Wait() : job->Wait(tell); }));
  nb::list fields;
  for (ResultField& field : result.fields) {
    fields.append(nb::make_tuple(
        field.name, SharedSegment::Of(std::move(field.bytes_owner)),
        PlainOf(field.layout)));
  }
  return nb::make_tuple(fields, DictOf(result.statistics));
}

nb::list Operations() {
  nb::list operations;
  for (const Operation* operation : AllOperations()) {
    nb::list parameters;
    for (const ParameterSpec& parameter : operation->info().parameters) {
      parameters.append(nb::make_tuple(parameter.name, parameter.type,
                                       parameter.default_value, parameter.doc));
    }
    operations.append(nb::make_tuple(operation->info().name,
                                     operation->info().doc, parameters));
  }
  return operations;
}

void BindMatrices(nb::class_<Connection>& connection) {
  connection
      .def("put_file",
           [](const Connection& to, const std::string& name,
              const Source& source, bool copy, bool replace, int replicas) {
             return DictOf(On(to, [&](const Cluster& cluster) {
               return cluster.Put(
                   name, SourceOf(source),
                   {.copy = copy, .replace = replace, .replicas = replicas});
             }));
           })
      .def("put_segment",
           [](const Connection& to, const std::string& name,
              const SharedSegment& segment, const PlainLayout& layout,
              bool replace, int replicas) {
             const auto& [dtype, order, shape] = layout;
             const MatrixLayout made = LayoutOf(dtype, order, shape);
             return DictOf(On(
                 to, [&](const Cluster& cluster) -> absl::StatusOr<MatrixInfo> {
                   const auto matrix = segment.AsMatrix(made);
                   if (!matrix.ok()) return matrix.status();
                   return cluster.Put(
                       name, *matrix,
                       {.replace = replace, .replicas = replicas});
                 }));
           })
      .def("make",
           [](const Connection& at, const std::string& name,
              const PlainLayout& layout, std::uint64_t seed, int replicas) {
             const auto& [dtype, order, shape] = layout;
             const MatrixLayout made = LayoutOf(dtype, order, shape);
             return DictOf(On(at, [&](const Cluster& cluster) {
               return cluster.Make(name, made, seed, replicas);
             }));
           })
      .def("ls",
           [](const Connection& at) {
             nb::list list;
             for (const MatrixInfo& info : On(at, [](const Cluster& cluster) {
                    return cluster.List();
                  })) {
               list.append(DictOf(info));
             }
             return list;
           })
      .def("info",
           [](const Connection& at, const std::string& name) {
             return DictOf(On(at, [&](const Cluster& cluster) {
               return cluster.Info(name);
             }));
           })
      .def("get",
           [](const Connection& at, const std::string& name) {
             const Matrix matrix = On(
                 at, [&](const Cluster& cluster) { return cluster.Get(name); });
             return nb::make_tuple(SharedSegment::Of(matrix),
                                   PlainOf(matrix.layout()));
           })
      .def("here",
           [](const Connection& at, const std::string& name) -> nb::object {
             const std::optional<Matrix> matrix =
                 On(at,
                    [&](const Cluster& cluster) { return cluster.Here(name); });
             if (!matrix.has_value()) return nb::none();
             return nb::make_tuple(SharedSegment::Of(*matrix),
                                   PlainOf(matrix->layout()));
           })
      .def("rows",
           [](const Connection& at, const std::string& name, std::int64_t begin,
              std::int64_t end) {
             const Matrix matrix = On(at, [&](const Cluster& cluster) {
               return cluster.Rows(name, begin, end);
             });
             return nb::make_tuple(SharedSegment::Of(matrix),
                                   PlainOf(matrix.layout()));
           })
      .def("rm", [](const Connection& at, const std::string& name) {
        const Cluster cluster = at.Use();
        Check(Unlocked([&] { return cluster.Remove(name); }));
      });
}

void BindJobs(nb::class_<Connection>& connection) {
  connection
      .def("submit",
           [](const Connection& to, const std::string& operation,
              const Source& source, const Arguments& arguments, int workers) {
             return OwnJob(On(to, [&](const Cluster& cluster) {
               return cluster.Submit(operation,
                                     SubmissionOf(source, arguments, workers));
             }));
           })
      .def("explain",
           [](const Connection& at, const std::string& operation,
              const Source& source, const Arguments& arguments, int workers) {
             return DictOf(On(at, [&](const Cluster& cluster) {
               return cluster.Explain(operation,
                                      SubmissionOf(source, arguments, workers));
             }));
           })
      .def("jobs",
           [](const Connection& at) {
             nb::list list;
             for (const JobSummary& job : On(at, [](const Cluster& cluster) {
                    return cluster.Jobs();
                  })) {
               list.append(DictOf(job));
             }
             return list;
           })
      .def("workers",
           [](const Connection& at) {
             nb::list list;
             for (const WorkerInfo& worker : On(at, [](const Cluster& cluster) {
                    return cluster.Workers();
                  })) {
               list.append(DictOf(worker));
             }
             return list;
           })
      .def("cancel",
           [](const Connection& at, const std::string& id) {
             const Cluster cluster = at.Use();
             Check(Unlocked([&] { return cluster.CancelJob(id); }));
           })
      .def("drain", [](const Connection& at, const std::string& worker) {
        return On(
            at, [&](const Cluster& cluster) { return cluster.Drain(worker); });
      });
}

}  // namespace

void BindCluster(nb::module_& module) {
  nb::class_<OwnJob>(module, "Job")
      .def_prop_ro("id", [](const OwnJob& job) { return job->id(); })
      .def("wait", &WaitFor, nb::arg("progress") = nb::none())
      .def("cancel", [](const OwnJob& job) {
        job.CheckOwn("cancel a job");
        Check(Unlocked([&] { return job->Cancel(); }));
      });

  nb::class_<Connection> connection(module, "Connection");
  connection
      .def_static(
          "local",
          [](int workers, int threads) {
            BeginSpeaking("start a local cluster");
            return Connection(Take(Unlocked([&] {
              return Cluster::Local({.workers = workers, .threads = threads});
            })));
          })
      .def_static("connect",
                  [](const std::string& address, const std::string& tls_dir,
                     bool insecure) {
                    BeginSpeaking("connect to a cluster");
                    return Connection(Take(Unlocked([&] {
                      return Cluster::Connect(
                          address, {.tls_dir = tls_dir, .insecure = insecure});
                    })));
                  })
      .def_prop_ro("address", &Connection::address)
      .def_prop_ro("closed", &Connection::closed)
      .def("close", &Connection::Close);
  BindMatrices(connection);
  BindJobs(connection);
  module.def("operations", &Operations);
}

}  // namespace hearth::python
