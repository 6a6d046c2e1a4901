#include "client/launch/ssh/remote_script.h"

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_replace.h"

namespace hearth::client {
namespace {

// What all of them stand on. A cluster's directory is $place/hearth-UID-ID;
// its processes carry HEARTH_LAUNCHED=UID-ID in their environment, so that none
// is lost even if something cleaned the directory away, and none that got a
// recorded pid later is taken for ours.
constexpr char kPrelude[] = R"sh(
say() { printf '%s %s\n' "$mark" "$*"; }
uid=$(id -u)
boot=$(cat /proc/sys/kernel/random/boot_id 2>/dev/null)
nap() { sleep 0.05 2>/dev/null || sleep 1; }

# started PID: $ticks is when; fails if it has ended.
started() {
  ticks=$(cat "/proc/$1/stat" 2>/dev/null) || return 1
  set -- ${ticks##*) }
  case ${1:-Z} in Z | X) return 1 ;; esac
  ticks=${20}
}

# running FILE: the process recorded there, and no later one; $pid.
running() {
  [ -f "$1" ] || return 1
  read -r pid then_ticks then_boot <"$1" || return 1
  [ "$then_boot" = "$boot" ] && started "$pid" && [ "$ticks" = "$then_ticks" ]
}

# marked TEXT: pids of the processes of a cluster.
marked() {
  grep -lF "HEARTH_LAUNCHED=$1" /proc/[0-9]*/environ 2>/dev/null |
    while IFS=/ read -r _ _ one _; do printf '%s ' "$one"; done
}

# places: where directories of clusters may lie, one a line.
places() {
  for one in "${XDG_RUNTIME_DIR:-}" "/run/user/$uid" "${TMPDIR:-}" /tmp; do
    case $one in /*) printf '%s\n' "$one" ;; esac
  done
}

# ours DIRECTORY: it is one, of this user's.
ours() { [ -d "$1" ] && [ ! -h "$1" ] && [ -O "$1" ]; }

# take_down ID DIRECTORY: ends its processes, removes it; $left says what stays.
take_down() {
  left=
  if [ -n "$2" ] && running "$2/start.pid" && [ "$pid" != $$ ]; then
    kill -KILL "$pid" 2>/dev/null # it must start nothing more
  fi
  tries=80
  for one in worker coordinator; do # they end what they started
    if [ -n "$2" ] && running "$2/$one.pid"; then
      # Not TERM: all hosts go, and none takes over what another one holds.
      kill -INT "$pid" 2>/dev/null
      tries=0
    fi
  done
  while pids=$(marked "$uid-$1") && [ -n "$pids" ]; do
    case $tries in
      80) kill -TERM $pids 2>/dev/null ;;
      1[4-9]0) kill -KILL $pids 2>/dev/null ;;
      200) left="these processes don't end: $pids"; return 1 ;;
    esac
    tries=$((tries + 1))
    nap
  done
  [ -n "$2" ] || return 0
  left=$(rm -rf "$2" 2>&1 | head -n 1)
  [ ! -e "$2" ]
}
)sh";

constexpr char kStart[] = R"sh(
mask=$(umask)
umask 077
# logind empties a runtime directory when the last session ends, unless the user
# lingers: what must outlive this session goes elsewhere then.
base=/tmp
if [ -n "${XDG_RUNTIME_DIR:-}" ] && [ -d "$XDG_RUNTIME_DIR" ] && [ -w "$XDG_RUNTIME_DIR" ] &&
  { [ ! -d /run/systemd/system ] || [ -e "/var/lib/systemd/linger/$(id -un)" ]; }; then
  base=$XDG_RUNTIME_DIR
fi
dir=$base/hearth-$uid-$id

mine=no # until this session has made it, the directory is another one's
give_up() {
  trap '' PIPE HUP TERM INT
  [ $mine = no ] || take_down "$id" "$dir"
}
fail() {
  kind=$1
  shift
  text=$(printf '%s' "$*" | tr '\n' ' ' | cut -c 1-600)
  give_up
  say fail "$kind" "$text"
  exit 1
}
trap 'give_up; exit 1' PIPE HUP TERM INT

# put FILE TEXT: a builtin would not say why it could not write.
put() { text=$({ printf '%s\n' "$2" | cat >"$1"; } 2>&1) || fail disk "$text"; }

set -- ${SSH_CONNECTION:-}
printf '\n' # after whatever the login shell wrote
say cores "$(nproc 2>/dev/null || getconf _NPROCESSORS_ONLN)"
say reached "${3:-}"

same() {
  [ -f "$1" ] && [ -x "$1" ] && [ -r "$1" ] && [ "$(wc -c <"$1")" -eq "$bytes" ] &&
    [ "$(sha256sum <"$1")" = "$sum  -" ]
}
command -v sha256sum >/dev/null || fail tools "sha256sum"
command -v setsid >/dev/null || fail tools "setsid"
binary=
there=$(command -v hearth)
case $there in /*) ;; *) there= ;; esac
for one in "$there" "$own"; do
  if [ -z "$binary" ] && same "$one"; then binary=$one; fi
done
there_version=
if [ -z "$binary" ] && [ -n "$there" ]; then
  there_version=$("$there" --version 2>&1 </dev/null | head -n 1)
  say found "$there_version at $there"
fi

if ! text=$(mkdir "$dir" 2>&1); then
  ! ours "$dir" || fail twice # as the host of another line of the file
  fail disk "$text"
fi
mine=yes
started $$
put "$dir/start.pid" "$$ $ticks $boot"

origin=there
if [ -z "$binary" ]; then
  say want binary
  text=$({ head -c "$bytes" >"$dir/hearth.part"; } 2>&1) || fail disk "$text"
  [ "$(sha256sum <"$dir/hearth.part")" = "$sum  -" ] || fail damaged "$dir/hearth.part"
  text=$(chmod 700 "$dir/hearth.part" 2>&1 && mv "$dir/hearth.part" "$dir/hearth" 2>&1) ||
    fail disk "$text"
  binary=$dir/hearth
  origin=brought
fi
if ! text=$("$binary" --version 2>&1 </dev/null); then
  if [ "$there_version" = "hearth $version" ]; then
    binary=$there # of the same version, and built for this host
    origin=there
  else
    missing=$(ldd "$binary" 2>/dev/null | sed -n 's/[[:space:]]*\(.*\) => not found.*/\1/p' |
      sort -u | tr '\n' ' ')
    [ -z "$missing" ] || fail libraries "$missing"
    fail runs "$text"
  fi
fi

# store FILE: lines up to a "." from standard input.
store() {
  text=$({ while IFS= read -r line && [ "$line" != . ]; do printf '%s\n' "$line"; done |
    cat >"$1"; } 2>&1) || fail disk "$text"
}
security=--insecure
if [ "$insecure" = no ]; then
  say want credentials
  text=$(mkdir "$dir/tls" 2>&1) || fail disk "$text"
  store "$dir/tls/ca.pem"
  store "$dir/tls/node.pem"
  store "$dir/tls/node.key"
  chmod 644 "$dir/tls/ca.pem" "$dir/tls/node.pem"
  security=--tls-dir=$dir/tls
fi
put "$dir/version" "$version"

# Records itself under its own pid, and then becomes what it was asked for:
# nothing runs without a record.
starter='
dir=$1 name=$2 mask=$3
shift 3
stat=$(cat /proc/$$/stat)
stat=${stat##*) }
ticks=$(set -- $stat; echo "${20}")
boot=$(cat /proc/sys/kernel/random/boot_id)
exec 2>"$dir/$name.log"
echo "$$ $ticks $boot" >"$dir/$name.pid.part" || exit 1
mv "$dir/$name.pid.part" "$dir/$name.pid" || exit 1
umask "$mask"
unset HEARTH_CLUSTER HEARTH_TLS_DIR GRPC_VERBOSITY GRPC_TRACE
cd / && exec "$@" >"$dir/$name.ready"
'
# launch NAME ARGUMENT...: a process in a session of its own; $line is its ready line.
launch() {
  name=$1
  shift
  HEARTH_LAUNCHED=$uid-$id HEARTH_BINARY=$binary setsid sh -c "$starter" hearth \
    "$dir" "$name" "$mask" "$binary" "$@" </dev/null >/dev/null 2>&1 &
  child=$!
  tries=0
  until { read -r line <"$dir/$name.ready"; } 2>/dev/null; do
    tries=$((tries + 1))
    if ! started $child; then
      { read -r line <"$dir/$name.ready"; } 2>/dev/null && return 0
      line=$(tail -n 1 "$dir/$name.log" 2>/dev/null)
      return 1
    fi
    if [ $tries -ge 600 ]; then
      line='it is not ready after half a minute'
      return 1
    fi
    nap
  done
}

say prepared "$origin"
while read -r order a b c d; do
  case $order in
    coordinator)
      launch coordinator coordinator --listen "$a" "$security" --json \
        --state-dir "$dir/state" ||
        fail coordinator "$line"
      say coordinator "$line"
      ;;
    workers)
      put "$dir/asked" "$a"
      count=$a memory=$b listen=$c address=$d
      set -- --coordinator "$address" --workers "$count" "$security" --json
      [ "$memory" = - ] || set -- "$@" --memory "$memory"
      [ "$listen" = - ] || set -- "$@" --listen "$listen"
      if ! launch worker worker "$@"; then
        running "$dir/coordinator.pid" || fail worker "$line"
        # The other hosts have this coordinator: it stays, without workers.
        if running "$dir/worker.pid"; then kill -TERM "$pid"; fi
        rm -f "$dir/start.pid"
        trap '' PIPE HUP TERM INT
        say fail beside "$(printf '%s' "$line" | tr '\n' ' ')"
        exit 1
      fi
      rm -f "$dir/start.pid"
      trap '' PIPE HUP TERM INT
      say ready "$line"
      exit 0
      ;;
  esac
done
give_up # whoever gave the orders is gone
)sh";

constexpr char kEnd[] = R"sh(
printf '\n'
end() { # ID DIRECTORY
  say ending "$1" # which may take longer than a host has for its first word
  if take_down "$1" "$2"; then say gone "$1"; else say fail stays "$left"; fi
}
# launched DIRECTORY: a cluster's, by its name and by what is in it; $id.
launched() {
  id=${1##*/hearth-$uid-}
  case $id in *[!0123456789abcdef]*) return 1 ;; esac
  [ ${#id} -eq 12 ] || return 1
  [ -f "$1/start.pid" ] || [ -f "$1/version" ] || [ -f "$1/coordinator.pid" ]
}
places | sort -u | {
  while IFS= read -r place; do
    for id in $ids; do
      dir=$place/hearth-$uid-$id
      if ours "$dir"; then end "$id" "$dir"; fi
    done
    [ -z "$ids" ] || continue
    for dir in "$place/hearth-$uid-"*; do
      if ours "$dir" && launched "$dir"; then end "$id" "$dir"; fi
    done
  done
}
for id in $ids; do # whose directory something else removed
  [ -z "$(marked "$uid-$id")" ] || end "$id" ''
done
if [ -z "$ids" ]; then
  tries=0
  while pids=$(marked "$uid-") && [ -n "$pids" ] && [ $tries -lt 100 ]; do
    [ $tries -gt 0 ] || say ending
    if [ $tries -lt 50 ]; then kill -TERM $pids; else kill -KILL $pids; fi 2>/dev/null
    tries=$((tries + 1))
    nap
  done
fi
say done
)sh";

constexpr char kLook[] = R"sh(
printf '\n'
places | sort -u | {
  while IFS= read -r place; do
    dir=$place/hearth-$uid-$id
    ours "$dir" || continue
    say here "$dir"
    say since "$(stat -c %Y "$dir/version" 2>/dev/null)"
    say version "$(cat "$dir/version" 2>/dev/null)"
    say asked "$(cat "$dir/asked" 2>/dev/null)"
    ! running "$dir/coordinator.pid" || say coordinator "$pid"
    if running "$dir/worker.pid"; then
      say workers "$pid"
      for child in $(cat "/proc/$pid/task/$pid/children" 2>/dev/null); do
        say child "$child"
        say keeper "$(tr '\0' '\n' <"/proc/$child/cmdline" | sed -n 's/^--keeper=//p')"
      done
    fi
  done
}
say done
)sh";

std::string Assign(absl::string_view name, absl::string_view value) {
  return absl::StrCat(name, "=", ShellQuoted(value), "\n");
}

}  // namespace

std::string ShellQuoted(absl::string_view text) {
  return absl::StrCat("'", absl::StrReplaceAll(text, {{"'", "'\\''"}}), "'");
}

std::string LoaderCommand(std::size_t script_bytes) {
  // Single quotes mean the same to every login shell; a byte at a time, since
  // what follows the script is not the loader's to read.
  return absl::StrCat("exec sh -c 'eval \"$(dd bs=1 count=", script_bytes,
                      " 2>/dev/null)\"'");
}

std::string StartScript::Text() const {
  return absl::StrCat(Assign("mark", mark), Assign("id", id),
                      Assign("version", version), "bytes=", binary_bytes, "\n",
                      Assign("sum", binary_sha256), Assign("own", own_path),
                      Assign("insecure", insecure ? "yes" : "no"), kPrelude,
                      kStart);
}

std::string EndScript::Text() const {
  return absl::StrCat(Assign("mark", mark),
                      Assign("ids", absl::StrJoin(ids, " ")), kPrelude, kEnd);
}

std::string LookScript::Text() const {
  return absl::StrCat(Assign("mark", mark), Assign("id", id), kPrelude, kLook);
}

std::optional<Report> ParseReport(absl::string_view mark,
                                  absl::string_view line) {
  if (line.substr(0, mark.size()) != mark) return std::nullopt;
  line.remove_prefix(mark.size());
  if (line.size() < 2 || line[0] != ' ' || line[1] == ' ') return std::nullopt;
  line.remove_prefix(1);
  const std::size_t end = line.find(' ');
  Report report{.word = std::string(line.substr(0, end))};
  if (end != absl::string_view::npos) {
    report.rest = std::string(line.substr(end + 1));
  }
  return report;
}

}  // namespace hearth::client
