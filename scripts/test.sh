#!/usr/bin/env bash
# Every test that guards a merge: sets up the public tools that tests compare with, runs the workspace's tests, prints counts.
set -euo pipefail
cd "$(dirname "$0")/.."

start=$SECONDS
for setup in scripts/test-tools.sh scripts/test-node.sh; do
  if [ -x "$setup" ]; then
    scripts/step.sh "$setup" "seconds, a minute the first time" "$setup"
  fi
done

log=$(mktemp)
trap 'rm -f "$log"' EXIT
status=0
scripts/step.sh "building and running the tests" "8 minutes the first time on 2 cores, then 1 to 2" \
  cargo test --workspace --locked 2>&1 | tee "$log" || status=$?

awk '/^test result:/ { passed += $4; failed += $6; ignored += $8 }
  END { printf "▸ %d passed, %d failed, %d ignored\n", passed, failed, ignored }' "$log"
echo "▸ in $((SECONDS - start)) s"
exit "$status"
