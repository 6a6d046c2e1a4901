#!/usr/bin/env bash
# docs/operating.md: coordinator and workers as processes of their own. Run in
# an empty folder by tests/house/examples.sh.
set -euo pipefail
hearth make m.npy --shape 1000,8
# ---
hearth coordinator --listen unix-abstract:example-$$ &
hearth worker --coordinator unix-abstract:example-$$ --workers 2 --json > workers.json &
until [ -s workers.json ]; do sleep 0.1; done
hearth run std m.npy axis=0 --cluster unix-abstract:example-$$
kill %2 %1
