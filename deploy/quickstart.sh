#!/usr/bin/env bash
# From a fresh clone to five workers on one matrix: installs what is missing,
# builds, and runs the main job. See deploy/quickstart.py for the job itself.
set -euo pipefail

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)

usage() {
  cat <<'USAGE'
usage: deploy/quickstart.sh [FILE.npy]

Installs what is missing, builds the release, and shares a matrix among five
worker processes without copying it: describes it, takes the mean of each
column, checks both against NumPy, and prints what memory it took.

Without a file it takes two matrices: scikit-learn's digits, and one made from
a seed (4 GiB, or a quarter of the free memory where that is less).
USAGE
}

if (($# > 1)); then
  usage >&2
  exit 2
fi
case ${1:-} in
  -h | --help) usage && exit 0 ;;
  -*) usage >&2 && exit 2 ;;
esac
if (($# == 1)) && [[ ! -r $1 ]]; then
  echo "quickstart: read $1: no such file, or not readable" >&2
  exit 1
fi

say() { printf 'quickstart: %s\n' "$*"; }

"$root/deploy/install-dependencies.sh"

log=$root/build/quickstart-build.log
mkdir -p "$root/build"
say "building build/release (minutes the first time, then seconds; log: build/quickstart-build.log)"
if ! (cd "$root" && cmake --preset release && cmake --build --preset release --target hearth) >"$log" 2>&1; then
  tail -n 40 "$log" >&2
  say "the build failed; the whole log is $log" >&2
  exit 1
fi

exec "$root/.venv/bin/python" "$root/deploy/quickstart.py" \
  --hearth "$root/build/release/hearth" "$@"
