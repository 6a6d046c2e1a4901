#!/usr/bin/env bash
# docs/security.md: a coordinator and a worker over TCP, by credentials. Run in
# an empty folder by tests/house/examples.sh.
set -euo pipefail
hearth make m.npy --shape 1000,8
# ---
# The cluster's authority and the first node's certificate.
hearth security init --tls-dir tls

# Another node's, to be copied to its ~/.config/hearth/tls.
hearth security issue --tls-dir tls --out node7 --host node7.lab

hearth coordinator --listen 127.0.0.1:0 --tls-dir tls --json > ready.json &
until [ -s ready.json ]; do sleep 0.1; done
address=$(sed 's/.*"address": *"\([^"]*\)".*/\1/' ready.json)
hearth worker --coordinator "$address" --tls-dir node7 --json > workers.json &
until [ -s workers.json ]; do sleep 0.1; done
hearth run mean m.npy axis=0 --cluster "$address" --tls-dir tls
kill %2 %1
