// What runs on the other hosts: POSIX shell scripts, since that is all that a
// host is sure to have. Each is sent through the session's standard input.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "absl/strings/string_view.h"

namespace hearth::client {

// `text` as one word of a POSIX shell.
std::string ShellQuoted(absl::string_view text);

// The command given to ssh, for whatever login shell there is: reads exactly
// `script_bytes` from standard input and runs them; the rest is the script's.
std::string LoaderCommand(std::size_t script_bytes);

// Brings a host as far as it can take orders, then takes them:
//
//   host to us           meaning                     we answer
//   cores N              what it has
//   reached ADDRESS      where ssh reached it
//   found TEXT           a hearth in its PATH that is not ours
//   want binary          ours is not there           its bytes, nothing else
//   want credentials     (unless insecure)           ca.pem, node.pem and
//                                                    node.key, a "." after each
//   prepared brought|there                           an order
//   coordinator JSON     its ready line              another order
//   ready JSON           the workers' ready line     (it ends)
//   fail KIND TEXT       and nothing is left of it   (it ends)
//
// Orders: "coordinator LISTEN" and "workers N MEMORY LISTEN COORDINATOR", "-"
// for what is not given. When our end closes before "ready", the host takes
// down what it has, and so it does when it fails. Two sessions of one cluster
// may reach the same host: the later one fails and leaves the other's alone.
struct StartScript {
  std::string mark;  // begins each line that is ours: shells greet, too
  std::string id;    // of the cluster
  std::string version;
  std::int64_t binary_bytes = 0;
  std::string binary_sha256;
  std::string own_path;  // the binary may lie there as well
  bool insecure = false;

  std::string Text() const;
};

// Ends clusters and removes their directories, and no other directory, whatever
// it is called. "ending ID" when it begins with one ("ending" for processes
// that have no directory), since that may take long; then "gone ID", or "fail
// KIND TEXT" where one stays; "done" at the end.
struct EndScript {
  std::string mark;
  std::vector<std::string> ids;  // empty: every one of this user

  std::string Text() const;
};

// Looks at one cluster: "here" if its directory is, "since SECONDS", "asked
// N", "version TEXT", "coordinator PID", "workers PID", "keeper ADDRESS", each
// where it is so; "child PID" for each worker; "done".
struct LookScript {
  std::string mark;
  std::string id;

  std::string Text() const;
};

// A line of a script, without its mark; none for what others wrote.
struct Report {
  std::string word;
  std::string rest;
};
std::optional<Report> ParseReport(absl::string_view mark,
                                  absl::string_view line);

}  // namespace hearth::client
