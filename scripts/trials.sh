#!/usr/bin/env bash
# Long fault and race trials over real processes, seeded and resumable: SUITE names one, DATABASE what it runs on, SEED starts it, ROUNDS bounds it, MIB is
# the size of the uploaded file.
# They are the test target `trials` (tests/trials/main.rs, harness = false, test = false), which plain `cargo test` leaves out.
set -euo pipefail
cd "$(dirname "$0")/.."
if [ ! -f tests/trials/main.rs ]; then
  echo "error: there is no trial suite in tests/trials" >&2
  exit 1
fi
SNAPHAVEN_TEST_DATABASE="${DATABASE:-sqlite}" exec cargo test --quiet --locked --test trials -- "${SUITE:-}" --seed "${SEED:-1}" --rounds "${ROUNDS:-50}" --mib "${MIB:-2048}"
