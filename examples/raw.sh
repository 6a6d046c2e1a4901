#!/usr/bin/env bash
# docs/operating.md: a file that is no .npy. Run in an empty folder by
# tests/house/examples.sh.
set -euo pipefail
printf '\x01\x00\x02\x00\x03\x00\x04\x00\x05\x00\x06\x00' > samples.bin
# ---
hearth run sum samples.bin --dtype int16 --shape 3,2 axis=0
hearth run max samples.bin --dtype int16 --shape 2,2 --offset 4 --order F
