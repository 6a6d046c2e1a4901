#!/usr/bin/env bash
# README's twenty lines. tests/house/examples.sh runs it in an empty folder.
set -euo pipefail
# ---
# One matrix, no server: a cluster of its own comes and goes with each command.
hearth make big.npy --shape 200000,64 --seed 1
hearth run mean big.npy axis=0
hearth run describe big.npy --workers 5 -o summary.npz

# A cluster that stays, and the matrix in memory once for all of its workers.
hearth local --workers 5 --json > ready.json &
until [ -s ready.json ]; do sleep 0.1; done
HEARTH_CLUSTER=$(sed 's/.*"address": *"\([^"]*\)".*/\1/' ready.json)
export HEARTH_CLUSTER
hearth put big big.npy --copy
hearth run sum big axis=1 -o sums.npy
hearth run quantile big axis=0 q=0.1,0.5,0.9
hearth run gram big -o gram.npy
hearth info big
hearth workers
hearth get big --rows 100:200 -o part.npy
hearth rm big
kill %1
