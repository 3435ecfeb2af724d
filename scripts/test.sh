#!/usr/bin/env bash
# Every test that guards a merge: sets up the public tools and servers that tests need, runs what needs no database once and
# what does on each of the three, and prints the counts, which have to be the same.
set -euo pipefail
cd "$(dirname "$0")/.."

start=$SECONDS
for setup in scripts/test-tools.sh scripts/test-node.sh scripts/test-databases.sh scripts/test-browser.sh; do
  scripts/step.sh "$setup" "seconds, a minute the first time" "$setup"
done
scripts/step.sh "building the tests" "15 minutes the first time on 2 cores, then 2" cargo test --workspace --locked --no-run

log=$(mktemp)
trap 'rm -f "$log"' EXIT
status=0
counts=()
passed_on=()
total_passed=0 total_failed=0 total_ignored=0

# run "what it is" "how long" command…: keeps its counts and goes on.
run() {
  local what=$1 passed failed ignored
  scripts/step.sh "$what" "$2" "${@:3}" 2>&1 | tee "$log" || status=$?
  read -r passed failed ignored < <(awk '/^test result:/ { p += $4; f += $6; i += $8 } END { print p + 0, f + 0, i + 0 }' "$log")
  counts+=("$(printf '▸ %-18s %4d passed, %d failed, %d ignored' "$what" "$passed" "$failed" "$ignored")")
  ((total_passed += passed, total_failed += failed, total_ignored += ignored)) || true
  passed_on+=("$passed")
}

run "no database" "5 minutes" cargo test --workspace --locked --quiet -- --skip databases::
passed_on=()
for database in sqlite postgres mariadb; do
  SNAPHAVEN_TEST_DATABASE=$database run "$database" "7 minutes" cargo test --locked --quiet --test it databases::
done

printf '%s\n' "${counts[@]}"
echo "▸ $total_passed passed, $total_failed failed, $total_ignored ignored, in $((SECONDS - start)) s"
if [ "$(printf '%s\n' "${passed_on[@]}" | sort -u | wc -l)" != 1 ]; then
  echo "error: the databases did not pass the same number of tests: ${passed_on[*]}" >&2
  status=1
fi
exit "$status"
