#!/usr/bin/env bash
# Runs every script of examples/ in a folder of its own, with `hearth` in the PATH.
#
#   examples.sh FOLDER_OF_HEARTH FOLDER_OF_EXAMPLES
set -euo pipefail

PATH=$(cd "$1" && pwd):$PATH
export PATH
examples=$(cd "$2" && pwd)
unset HEARTH_CLUSTER

count=0 failed=0
for script in "$examples"/*.sh; do
  folder=$(mktemp -d)
  count=$((count + 1))
  if (cd "$folder" && bash -euo pipefail "$script") >"$folder/.output" 2>&1; then
    echo "passed ${script##*/}"
  else
    failed=$((failed + 1))
    echo "FAILED ${script##*/}, which said:"
    cat "$folder/.output"
  fi
  rm -rf "$folder"
done
echo "$((count - failed)) passed, $failed failed"
((count > 0 && failed == 0))
