#pragma once

#include <atomic>
#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <thread>
#include <vector>

#include "absl/status/statusor.h"
#include "hearth/base/unique_fd.h"
#include "hearth/transport/call/object_host.h"

namespace hearth {

// The serving ends of connections without gRPC: threads that wait for what
// comes by any of them, and run the methods. Started with the first connection.
//
// Kind:    resource. Its destructor breaks every connection, and waits for what
//          runs.
// Threads: any.
class SocketSessions {
 public:
  static absl::StatusOr<std::unique_ptr<SocketSessions>> Start(
      ObjectHost& host);
  ~SocketSessions();

  // `connection` was accepted and checked, and does not block.
  void Admit(UniqueFd connection, bool carries_descriptors);
  // Hangs up on everybody, and takes nobody any more.
  void Refuse();

 private:
  class Session;
  explicit SocketSessions(ObjectHost& host) : host_(host) {}
  bool AddReader();  // false: it is ending
  void Read();
  std::shared_ptr<Session> Find(std::uint64_t id);
  void Remove(std::uint64_t id);

  ObjectHost& host_;
  UniqueFd epoll_;
  UniqueFd stop_;  // an eventfd: written once
  std::atomic<int> waiting_ = 0;
  std::atomic<int> reader_count_ = 0;

  std::mutex mutex_;  // guards all below
  std::map<std::uint64_t, std::shared_ptr<Session>> sessions_;
  std::uint64_t next_ = 1;
  bool is_ending_ = false;
  std::vector<std::thread> readers_;
};

}  // namespace hearth
