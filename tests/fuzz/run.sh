#!/usr/bin/env bash
# Fuzzes every decoder for a while. What breaks one is kept in build/fuzz/found.
set -euo pipefail

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
cd "$root"

usage() {
  cat <<'USAGE'
usage: tests/fuzz/run.sh SECONDS [TARGET...]

Builds the preset fuzz (clang++-14, libclang-rt-14-dev) and runs each target for
SECONDS of wall time, one a core. Begins with tests/fuzz/corpus; what is new
stays in build/fuzz/corpus. Status 1 where something was found: the inputs are
in build/fuzz/found, and copied to tests/fuzz/corpus/TARGET they are tests.
USAGE
}

if (($# == 0)) || [[ ! $1 =~ ^[0-9]+$ ]]; then
  usage >&2
  exit 2
fi
time_each=$1
shift
command -v clang++-14 >/dev/null || {
  echo "tests/fuzz/run.sh: no clang++-14; install clang-14 and libclang-rt-14-dev" >&2
  exit 2
}

cmake --preset fuzz >/dev/null
if (($# == 0)); then
  mapfile -t targets < <(cd tests/fuzz && ls -- *_fuzz.cc | sed 's/_fuzz\.cc$//')
else
  targets=("$@")
fi
cmake --build --preset fuzz --target "${targets[@]/#/fuzz_}"

found=$root/build/fuzz/found
mkdir -p "$found"

fuzz_one() { # fuzz_one TARGET: a line of how it went
  local target=$1 corpus=$root/build/fuzz/corpus/$1 log=$root/build/fuzz/$1.log status=0
  mkdir -p "$corpus"
  "$root/build/fuzz/tests/fuzz/fuzz_$target" -max_total_time="$time_each" \
    -max_len=16384 -timeout=10 -rss_limit_mb=1024 -print_final_stats=1 \
    -artifact_prefix="$found/$target-" "$corpus" "tests/fuzz/corpus/$target" \
    >"$log" 2>&1 || status=$?
  local runs covered
  runs=$(sed -n 's/^stat::number_of_executed_units: *//p' "$log")
  covered=$(grep -o 'cov: [0-9]*' "$log" | tail -n 1)
  if ((status == 0)); then
    printf '%-18s %12s runs  %s\n' "$target" "$runs" "$covered"
  else
    printf '%-18s FOUND SOMETHING: see %s\n' "$target" "$log"
    return 1
  fi
}
export -f fuzz_one
export root found time_each

printf '%s\n' "${targets[@]}" |
  xargs -P "$(nproc)" -I{} bash -c 'fuzz_one {}' || exit 1
