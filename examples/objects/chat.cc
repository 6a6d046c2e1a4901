// chat ADDRESS: a room that calls its guests back through the connections that
// they have made; no guest listens anywhere.
#include <cstdio>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "client/objects.h"

namespace {

class Guest {
 public:
  explicit Guest(std::string name) : name_(std::move(name)) {}
  void Hear(const std::string& who, const std::string& text) {
    std::scoped_lock lock(mutex_);
    heard_ += who + ": " + text + "; ";
  }
  std::string heard() {
    std::scoped_lock lock(mutex_);
    return heard_;
  }

 private:
  const std::string name_;
  std::mutex mutex_;
  std::string heard_;
};
hearth::Class Describe(hearth::As<Guest>) {
  return hearth::Declare<Guest>("Guest").Method(
      "hear", &Guest::Hear, {.parameters = {"who", "text"}});
}

class Room {
 public:
  void Enter(const std::string& name, const hearth::Proxy& guest) {
    guests_.emplace_back(name, guest);
  }
  // To everybody else; returns how many heard it.
  std::int64_t Say(const std::string& who, const std::string& text) {
    std::int64_t heard = 0;
    for (const auto& [name, guest] : guests_) {
      if (name != who && guest.Call<void>("hear", who, text).ok()) ++heard;
    }
    return heard;
  }

 private:
  std::vector<std::pair<std::string, hearth::Proxy>> guests_;
};
hearth::Class Describe(hearth::As<Room>) {
  return hearth::Declare<Room>("Room")
      .Method("enter", &Room::Enter, {.parameters = {"name", "guest"}})
      .Method("say", &Room::Say, {.parameters = {"who", "text"}});
}

absl::Status Run(const char* address) {
  const auto serving = hearth::Objects::Connect(address, {.insecure = true});
  if (!serving.ok()) return serving.status();
  auto server = hearth::ObjectServer::Start(*serving);
  if (!server.ok()) return server.status();
  const auto room = server->Serve("room", std::make_shared<Room>());
  if (!room.ok()) return room.status();

  std::vector<hearth::Objects> processes;
  std::vector<std::shared_ptr<Guest>> guests;
  for (const char* name : {"ann", "bob", "cy"}) {
    auto objects = hearth::Objects::Connect(address, {.insecure = true});
    if (!objects.ok()) return objects.status();
    guests.push_back(std::make_shared<Guest>(name));
    const auto proxy = objects->Expose(guests.back());
    if (!proxy.ok()) return proxy.status();
    const absl::Status entered =
        objects->Get("room").Call<void>("enter", name, *proxy);
    if (!entered.ok()) return entered;
    processes.push_back(*std::move(objects));
  }
  for (const char* text : {"hello", "anybody?"}) {
    const auto heard =
        processes[0].Get("room").Call<std::int64_t>("say", "ann", text);
    if (!heard.ok()) return heard.status();
    std::printf("%lld heard %s\n", static_cast<long long>(*heard), text);
  }
  std::printf("bob: %s\n", guests[1]->heard().c_str());
  return absl::OkStatus();
}

}  // namespace

int main(int argc, char** argv) {
  const absl::Status status =
      argc < 2 ? absl::InvalidArgumentError("chat ADDRESS") : Run(argv[1]);
  if (!status.ok()) std::fprintf(stderr, "%s\n", status.ToString().c_str());
  return status.ok() ? 0 : 1;
}
