#include "client/launch/ssh/host_talks.h"

#include <poll.h>

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "hearth/base/limits.h"

namespace hearth::client {
namespace {

constexpr absl::Duration kLeaveWithin = absl::Seconds(3);

}  // namespace

HostTalks::HostTalks(Options options)
    : options_(std::move(options)), talks_(options_.hosts.size()) {}

HostTalks::~HostTalks() {
  const absl::Time deadline = options_.clock->Now() + kLeaveWithin;
  for (Talk& talk : talks_) {
    if (talk.session.has_value()) talk.session->CloseInput();
  }
  for (Talk& talk : talks_) {
    if (talk.session.has_value()) {
      talk.session->EndsBy(deadline, *options_.clock);
    }
  }
}

void HostTalks::Begin(std::size_t host) {
  Talk& talk = talks_[host];
  talk.begun = true;
  talk.patience = options_.first_word_within;
  talk.silent_since = options_.clock->Now();
  auto session =
      SshSession::Start(SshArguments(options_.ssh, options_.hosts[host],
                                     LoaderCommand(options_.script.size())),
                        options_.variables);
  if (!session.ok()) {
    return Ended(host, absl::StrCat(session.status().message(),
                                    "; install ssh, or see HEARTH_SSH"));
  }
  talk.session.emplace(*std::move(session));
  talk.session->SendView(options_.script);
}

void HostTalks::BeginSome() {
  int coming = static_cast<int>(
      std::count_if(talks_.begin(), talks_.end(), [](const Talk& talk) {
        return talk.session.has_value() && !talk.reported;
      }));
  for (std::size_t host = 0; host < talks_.size(); ++host) {
    if (coming >= limits::kSshStartsMax) return;
    if (talks_[host].begun) continue;
    Begin(host);
    ++coming;
  }
}

HostTalks::Event HostTalks::Next() {
  while (events_.empty()) {
    BeginSome();
    if (!events_.empty()) break;
    if (std::none_of(talks_.begin(), talks_.end(), [](const Talk& talk) {
          return talk.session.has_value();
        })) {
      return {.kind = Event::Kind::kAllEnded};
    }
    Poll();
  }
  Event event = std::move(events_.front());
  events_.erase(events_.begin());
  return event;
}

void HostTalks::Poll() {
  struct Watched {
    std::size_t host;
    enum { kIn, kOut, kErrors } what;
  };
  std::vector<pollfd> polled = {
      {.fd = options_.interrupt_fd, .events = POLLIN, .revents = 0}};
  std::vector<Watched> watched = {{}};
  absl::Duration wait = absl::InfiniteDuration();
  const absl::Time now = options_.clock->Now();
  for (std::size_t host = 0; host < talks_.size(); ++host) {
    Talk& talk = talks_[host];
    if (!talk.session.has_value()) continue;
    const SshSession& session = *talk.session;
    const auto watch = [&](int fd, short what, decltype(Watched::what) which) {
      polled.push_back({.fd = fd, .events = what, .revents = 0});
      watched.push_back({host, which});
    };
    watch(session.output(), POLLIN, Watched::kOut);
    if (session.errors() >= 0)
      watch(session.errors(), POLLIN, Watched::kErrors);
    if (session.wants_to_write()) watch(session.input(), POLLOUT, Watched::kIn);
    wait = std::min(wait, talk.silent_since + talk.patience - now);
  }
  const int milliseconds = wait == absl::InfiniteDuration()
                               ? -1
                               : static_cast<int>(std::max<std::int64_t>(
                                     0, absl::ToInt64Milliseconds(wait) + 1));
  if (poll(polled.data(), polled.size(), milliseconds) < 0) return;
  if (polled[0].revents != 0) {
    events_.insert(events_.begin(), {.kind = Event::Kind::kInterrupted});
    return;
  }
  for (std::size_t i = 1; i < polled.size(); ++i) {
    Talk& talk = talks_[watched[i].host];
    if (polled[i].revents == 0 || !talk.session.has_value()) continue;
    if (watched[i].what == Watched::kErrors) {
      talk.session->ReadErrors();
    } else if (watched[i].what == Watched::kOut) {
      Read(watched[i].host);
    } else if (talk.session->Write()) {
      talk.silent_since = options_.clock->Now();
    }
  }
  GiveUpSilent();
}

void HostTalks::Read(std::size_t host) {
  Talk& talk = talks_[host];
  std::vector<std::string> lines;
  const bool more = talk.session->ReadLines(lines);
  for (const std::string& line : lines) {
    auto report = ParseReport(options_.mark, line);
    if (!report.has_value()) continue;
    talk.reported = true;
    talk.silent_since = options_.clock->Now();
    events_.push_back({.kind = Event::Kind::kReport,
                       .host = host,
                       .report = *std::move(report)});
  }
  if (!more) {
    Ended(host, FindingOf(options_.hosts[host], talk.session->Finish()));
  }
}

void HostTalks::GiveUpSilent() {
  const absl::Time now = options_.clock->Now();
  for (std::size_t host = 0; host < talks_.size(); ++host) {
    const Talk& talk = talks_[host];
    if (!talk.session.has_value()) continue;
    if (talk.silent_since + talk.patience > now) continue;
    Ended(host, absl::StrCat("it did not answer for ",
                             absl::FormatDuration(talk.patience),
                             "; try \"ssh ", options_.hosts[host], " true\""));
  }
}

void HostTalks::Ended(std::size_t host, std::string finding) {
  talks_[host].session.reset();
  events_.push_back({.kind = Event::Kind::kEnded,
                     .host = host,
                     .finding = std::move(finding)});
}

void HostTalks::Send(std::size_t host, std::string text) {
  if (talks_[host].session.has_value()) {
    talks_[host].session->Send(std::move(text));
  }
}

void HostTalks::SendView(std::size_t host, absl::string_view view) {
  if (talks_[host].session.has_value()) talks_[host].session->SendView(view);
}

void HostTalks::Expect(std::size_t host, absl::Duration within) {
  talks_[host].patience = within;
  talks_[host].silent_since = options_.clock->Now();
}

void HostTalks::End(std::size_t host) { talks_[host].session.reset(); }

}  // namespace hearth::client
