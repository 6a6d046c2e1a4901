// StartOnHosts: what StartCore decides, said to the hosts.
#include <openssl/evp.h>

#include <filesystem>
#include <fstream>
#include <memory>
#include <nlohmann/json.hpp>
#include <utility>

#include "absl/strings/escaping.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "client/launch/ssh/host_talks.h"
#include "client/launch/ssh/left_sessions.h"
#include "client/launch/ssh/remote_cluster.h"
#include "client/launch/ssh/start_core.h"
#include "hearth/base/address.h"
#include "hearth/base/error.h"
#include "hearth/base/id.h"
#include "hearth/base/status.h"

namespace hearth::client {
namespace {

using Event = HostTalks::Event;

// A host that has begun to answer goes on within this, or while bytes move.
constexpr absl::Duration kStepWithin = absl::Seconds(30);
// Its scripts give up by themselves after half a minute.
constexpr absl::Duration kProcessWithin = absl::Seconds(45);

struct Binary {
  std::string bytes;
  std::string sha256;
};

absl::StatusOr<Binary> ReadBinary(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  Binary binary{.bytes = std::string(std::istreambuf_iterator<char>(file), {})};
  if (!file.good() && !file.eof()) binary.bytes.clear();
  if (binary.bytes.empty()) {
    return Error(Reason::kFileMissing,
                 absl::StrCat("read the binary that hosts get: ", path,
                              " can't be read; set HEARTH_BINARY"));
  }
  std::string digest(EVP_MAX_MD_SIZE, '\0');
  unsigned size = 0;
  EVP_Digest(binary.bytes.data(), binary.bytes.size(),
             reinterpret_cast<unsigned char*>(digest.data()), &size,
             EVP_sha256(), nullptr);
  digest.resize(size);
  binary.sha256 = absl::BytesToHexString(digest);
  return binary;
}

// The host of `address`, without a port that may be there.
std::string HostOf(const std::string& address) {
  const absl::StatusOr<Address> parsed = Address::Parse(address);
  return parsed.ok() && !parsed->local() ? parsed->name : address;
}

// A port of the system's choice at `host`, which may be an IPv6 address.
std::string AnyPortAt(const std::string& host) {
  return Address{.kind = Address::Kind::kTcp, .name = host}.ToString();
}

class Starting {
 public:
  explicit Starting(const StartOptions& options)
      : options_(options), core_(options.hosts.size()) {}

  absl::StatusOr<StartResult> Run();

 private:
  void Take(const Event& event);
  void TakeReport(std::size_t host, const Report& report);
  void Carry(const std::vector<StartAction>& actions);
  void SendCredentials(std::size_t host);
  void Fail(std::size_t host, std::string finding, bool coordinator_stays);
  void OrderCoordinator(std::size_t host);
  void OrderWorkers(std::size_t host, const std::string& coordinator);
  void TakeReady(std::size_t host, const std::string& line);

  const StartOptions& options_;
  StartCore core_;
  Binary binary_;
  std::unique_ptr<HostTalks> talks_;
  StartResult result_;
  struct Facts {
    int cores = 1;
    std::string reached;
    bool settled = false;  // ready or failed, and told
  };
  std::vector<Facts> facts_;
};

absl::StatusOr<StartResult> Starting::Run() {
  HEARTH_ASSIGN_OR_RETURN(binary_, ReadBinary(options_.binary));
  facts_.resize(options_.hosts.size());
  std::vector<std::string> hosts;
  for (const HostLine& line : options_.hosts) {
    hosts.push_back(line.host);
    result_.hosts.push_back({.host = line.host});
  }
  const std::string mark = absl::StrCat("hearth-", Id::Random().ToString());
  const StartScript script{
      .mark = mark,
      .id = options_.id,
      .version = options_.version,
      .binary_bytes = static_cast<std::int64_t>(binary_.bytes.size()),
      .binary_sha256 = binary_.sha256,
      .own_path = options_.binary,
      .insecure = options_.insecure};
  talks_ = std::make_unique<HostTalks>(HostTalks::Options{
      .ssh = options_.ssh,
      .hosts = hosts,
      .mark = mark,
      .script = script.Text(),
      .variables = {absl::StrCat(kLauncherVariable, "=", options_.id)},
      .interrupt_fd = options_.interrupt_fd});
  while (!core_.done() && !result_.interrupted) Take(talks_->Next());
  talks_.reset();
  result_.address = core_.address();
  for (std::size_t host = 0; host < hosts.size(); ++host) {
    // Nobody is left to speak for those that were still coming.
    if (facts_[host].settled || result_.interrupted) continue;
    Fail(host, "the coordinator's host was lost; run hearth up again", false);
  }
  return std::move(result_);
}

void Starting::Take(const Event& event) {
  switch (event.kind) {
    case Event::Kind::kInterrupted:
      result_.interrupted = true;
      return;
    case Event::Kind::kReport:
      return TakeReport(event.host, event.report);
    case Event::Kind::kEnded:
      return Fail(event.host, event.finding, false);
    case Event::Kind::kAllEnded:
      for (std::size_t host = 0; host < facts_.size(); ++host) {
        Fail(host, "its session ended", false);
      }
  }
}

void Starting::TakeReport(std::size_t host, const Report& report) {
  HostStart& start = result_.hosts[host];
  start.touched = true;
  talks_->Expect(host, kStepWithin);
  if (report.word == "cores") {
    if (!absl::SimpleAtoi(report.rest, &facts_[host].cores)) return;
  } else if (report.word == "reached") {
    facts_[host].reached = report.rest;
  } else if (report.word == "found") {
    start.found = report.rest;
  } else if (report.word == "want" && report.rest == "binary") {
    talks_->SendView(host, binary_.bytes);
  } else if (report.word == "want") {
    SendCredentials(host);
  } else if (report.word == "prepared") {
    start.brought = report.rest == "brought";
    talks_->Expect(host, absl::InfiniteDuration());  // for our orders
    Carry(core_.Handle(HostPrepared{host}));
  } else if (report.word == "coordinator") {
    const auto line =
        nlohmann::json::parse(report.rest, nullptr, /*exceptions=*/false);
    if (!line.is_object() || !line.contains("address")) {
      return Fail(host, "its coordinator's ready line can't be read", false);
    }
    start.coordinator = true;
    result_.coordinator_pid = line.value("pid", 0);
    talks_->Expect(host, absl::InfiniteDuration());
    Carry(core_.Handle(CoordinatorUp{host, line.value("address", "")}));
  } else if (report.word == "ready") {
    TakeReady(host, report.rest);
  } else if (report.word == "fail") {
    const std::size_t space = report.rest.find(' ');
    const std::string kind = report.rest.substr(0, space);
    if (kind == "twice") start.touched = false;  // its other name counts
    Fail(host,
         FindingOf(kind, space == std::string::npos
                             ? ""
                             : report.rest.substr(space + 1)),
         kind == "beside");
  }
}

void Starting::SendCredentials(std::size_t host) {
  const absl::StatusOr<NodeCredentials> node = options_.credentials();
  if (!node.ok()) {
    return Fail(host, std::string(node.status().message()), false);
  }
  for (const std::string* pem :
       {&node->authority, &node->certificate, &node->key}) {
    talks_->Send(host,
                 absl::StrCat(*pem, pem->ends_with('\n') ? "" : "\n", ".\n"));
  }
}

void Starting::Carry(const std::vector<StartAction>& actions) {
  for (const StartAction& action : actions) {
    if (const auto* coordinator = std::get_if<StartCoordinator>(&action)) {
      OrderCoordinator(coordinator->host);
    } else if (const auto* workers = std::get_if<StartWorkers>(&action)) {
      OrderWorkers(workers->host, workers->coordinator);
    }
  }
}

void Starting::OrderCoordinator(std::size_t host) {
  const std::string& given = options_.hosts[host].address;
  std::string listen = given;
  if (HostOf(given) == given) {  // no port in it
    listen = AnyPortAt(given.empty() ? facts_[host].reached : given);
  }
  if (given.empty() && facts_[host].reached.empty()) {
    return Fail(host,
                "ssh does not say at what address it was reached; give it "
                "one: address=A in the hosts file",
                false);
  }
  talks_->Send(host, absl::StrCat("coordinator ", listen, "\n"));
  talks_->Expect(host, kProcessWithin);
}

void Starting::OrderWorkers(std::size_t host, const std::string& coordinator) {
  const HostLine& line = options_.hosts[host];
  const int count = line.workers > 0 ? line.workers : facts_[host].cores;
  result_.hosts[host].workers = count;
  talks_->Send(
      host,
      absl::StrCat("workers ", count, " ",
                   line.memory.empty() ? "-" : line.memory, " ",
                   line.address.empty() ? "-" : AnyPortAt(HostOf(line.address)),
                   " ", coordinator, "\n"));
  talks_->Expect(host, kProcessWithin);
}

void Starting::TakeReady(std::size_t host, const std::string& text) {
  HostStart& start = result_.hosts[host];
  start.ready = true;
  const auto line = nlohmann::json::parse(text, nullptr, /*exceptions=*/false);
  if (line.is_object() && line.contains("pids") && line["pids"].is_array()) {
    for (const auto& pid : line["pids"]) {
      if (pid.is_number_integer()) start.pids.push_back(pid.get<int>());
    }
  }
  facts_[host].settled = true;
  Carry(core_.Handle(WorkersUp{host}));
  options_.on_host(start);
}

void Starting::Fail(std::size_t host, std::string finding,
                    bool coordinator_stays) {
  if (facts_[host].settled) return;  // its session just ends
  HostStart& start = result_.hosts[host];
  facts_[host].settled = true;
  start.found = std::move(finding);
  start.coordinator = start.coordinator && coordinator_stays;
  start.workers = 0;
  if (talks_ != nullptr) talks_->End(host);
  Carry(core_.Handle(HostFailed{host, coordinator_stays}));
  options_.on_host(start);
}

}  // namespace

absl::StatusOr<StartResult> StartOnHosts(const StartOptions& options) {
  return Starting(options).Run();
}

}  // namespace hearth::client
