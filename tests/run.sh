#!/usr/bin/env bash
# Installs what is missing, builds, and runs all the tests.
#
# Goes on after a failing part, so that one run tells everything that is wrong;
# ends with a summary, and with a status other than 0 where anything failed.
set -euo pipefail

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
cd "$root"

usage() {
  cat <<'USAGE'
usage: tests/run.sh [--slow]

Installs what is missing, builds the presets release and asan, and runs every
test but the slow ones: under 25 minutes on two cores, from nothing.

  --slow   the long campaigns instead: ThreadSanitizer on cores, keeper and
           shared memory, every test labelled slow, and an hour of fuzzing
USAGE
}

slow=false
for argument in "$@"; do
  case $argument in
    --slow) slow=true ;;
    -h | --help) usage && exit 0 ;;
    *) usage >&2 && exit 2 ;;
  esac
done

python=$root/.venv/bin/python
cores=$(nproc)
# An hour of processors together, for whatever number of targets there is.
fuzz_targets=(tests/fuzz/*_fuzz.cc)
fuzz_seconds=$((3600 / ${#fuzz_targets[@]}))
export HEARTH_BINARY=${HEARTH_BINARY:-$root/build/release/hearth}
export UBSAN_OPTIONS=${UBSAN_OPTIONS:-print_stacktrace=1}

names=() results=() seconds=()
passed=0 failed=0 skipped=0

record() { # record NAME RESULT SECONDS
  names+=("$1") results+=("$2") seconds+=("$3")
  case $2 in
    passed) passed=$((passed + 1)) ;;
    skipped*) skipped=$((skipped + 1)) ;;
    *) failed=$((failed + 1)) ;;
  esac
}

# part NAME COMMAND...: runs it, says how it ended, and goes on.
part() {
  local name=$1 began=$SECONDS status=0
  shift
  printf '\n==> %s\n' "$name"
  "$@" || status=$?
  if ((status == 0)); then
    record "$name" passed $((SECONDS - began))
    return 0
  fi
  record "$name" "FAILED ($status)" $((SECONDS - began))
  return 1
}

skip() {
  printf '\n==> %s: skipped, %s\n' "$1" "$2"
  record "$1" "skipped: $2" 0
}

build() { # build PRESET [TARGET...]
  local preset=$1
  shift
  cmake --preset "$preset" || return # set -e is off within a part
  if (($# == 0)); then
    cmake --build --preset "$preset"
  else
    cmake --build --preset "$preset" --target "$@"
  fi
}

# The unit test programs alone: what a sanitizer build is for.
build_units() {
  local preset=$1 targets
  cmake --preset "$preset" || return # set -e is off within a part
  targets=$(ninja -C "build/$preset" -t targets all |
    sed -n 's/^\(unit_[a-z0-9_]*\): phony.*/\1/p')
  [[ -n $targets ]] || {
    echo "build/$preset has no unit_* target" >&2
    return 1
  }
  # shellcheck disable=SC2086  # one word a target
  cmake --build --preset "$preset" --target $targets
}

# The tests of whole clusters mostly wait: the sanitizer build goes on beside them
# with what they leave of the processors.
asan_job='' asan_log=''
begin_asan() {
  asan_log=$(mktemp)
  (
    renice -n 19 "$BASHPID" >/dev/null
    build_units asan
  ) >"$asan_log" 2>&1 &
  asan_job=$!
}
end_asan() {
  local status=0
  if [[ -z $asan_job ]]; then begin_asan; fi
  wait "$asan_job" || status=$?
  if ((status == 0)); then tail -n 3 "$asan_log"; else cat "$asan_log"; fi
  rm -f "$asan_log"
  return "$status"
}

run_ctest() { # run_ctest PRESET [ctest argument...]
  local preset=$1
  shift
  ctest --test-dir "build/$preset" --output-on-failure --no-tests=error \
    -j "$cores" "$@"
}

run_pytest() {
  "$python" -m pytest -c tests/pytest.ini --rootdir tests -q "$@"
}

# As a user would, but with what .venv has: nothing is downloaded, and ccache
# knows what the release build has compiled.
install_package() {
  "$python" -m pip install --quiet --disable-pip-version-check \
    --no-build-isolation --no-deps ./client/python
}

summary() {
  local i
  printf '\n==> summary\n'
  for i in "${!names[@]}"; do
    printf '  %-44s %6s s  %s\n' "${names[i]}" "${seconds[i]}" "${results[i]}"
  done
  printf '%d passed, %d failed, %d skipped\n' "$passed" "$failed" "$skipped"
  ((failed == 0))
}

packages=(--tests)
if $slow; then packages+=(--slow); fi
if ! part "install what is missing" deploy/install-dependencies.sh "${packages[@]}"; then
  summary
  exit 1
fi

released=true
part "build release" build release || released=false

if $slow; then
  if part "build tsan, unit tests" build_units tsan; then
    part "ctest: unit tests under TSan" \
      env TSAN_OPTIONS=halt_on_error=1 ctest --test-dir build/tsan \
      --output-on-failure --no-tests=error -j "$cores" -L '^unit$' || true
  fi
  if command -v clang++-14 >/dev/null; then
    part "fuzz: every decoder" tests/fuzz/run.sh "$fuzz_seconds" || true
  else
    skip "fuzz: every decoder" "no clang++-14: install clang-14 and libclang-rt-14-dev"
  fi
  if $released; then
    part "ctest: slow campaigns" \
      ctest --test-dir build/release --output-on-failure -L slow || true
    if part "pip install ./client/python" install_package; then
      part "pytest: slow campaigns, Python" env -u HEARTH_BINARY "$python" -m pytest \
        -c tests/pytest.ini --rootdir tests -q -m slow tests/python || true
    fi
    part "pytest: slow campaigns" run_pytest -m slow tests/contract tests/cluster tests/network || true
  fi
  summary
  exit
fi

if $released; then
  part "ctest: release" run_ctest release -LE slow || true
else
  skip "ctest: release" "it was not built"
fi

if $released; then
  part "pytest: contract" run_pytest -m "not slow" -n "$cores" tests/contract || true
  if part "pip install ./client/python" install_package; then
    # With the binary that was installed along.
    part "pytest: python" env -u HEARTH_BINARY "$python" -m pytest -c tests/pytest.ini \
      --rootdir tests -q -m "not slow" -n "$cores" tests/python || true
  fi
  begin_asan
  part "pytest: cluster" run_pytest -m "not slow" tests/cluster || true
  if ((EUID == 0)) && ip netns list >/dev/null 2>&1; then
    part "pytest: network" run_pytest -m "not slow" tests/network || true
  else
    skip "pytest: network" "hosts are network namespaces, which need root and ip(8)"
  fi
else
  skip "pytest: contract, python and cluster" "release was not built"
fi
if part "build asan, unit tests" end_asan; then
  part "ctest: unit tests under ASan and UBSan" \
    run_ctest asan -L '^unit$' -LE slow || true
fi
summary
