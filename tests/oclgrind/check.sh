#!/usr/bin/env bash
# check.sh FAULTY: scripts/oclgrind-check passes a good kernel and finds each planted fault; otherwise its silence would
# mean nothing.
set -euo pipefail
gate=$(cd "$(dirname "${BASH_SOURCE[0]}")/../../scripts" && pwd)/oclgrind-check
failed=0
expect() {
  local code=0
  "$gate" "${@:2}" >/dev/null 2>&1 || code=$?
  printf '%s: exit code %d\n' "${*:3}" "$code"
  ((code == $1)) || failed=1
}
expect 0 "$1" good
for fault in overrun local_overrun race diverge; do
  expect 99 "$1" "$fault"
done
expect 4 "$1" no_such_kernel
exit "$failed"
