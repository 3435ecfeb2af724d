#!/bin/sh
# Installs the npm packages that the integration tests compare with, as pinned in each package-lock.json under tests/js.
set -eu
cd "$(dirname "$0")/../tests/js"
for lock in package-lock.json */package-lock.json; do
  folder=$(dirname "$lock")
  if [ -f "$folder/node_modules/.package-lock.json" ] && [ ! "$lock" -nt "$folder/node_modules/.package-lock.json" ]; then
    echo "test-node: tests/js/$folder is up to date"
    continue
  fi
  echo "test-node: npm ci in tests/js/$folder (a few seconds)"
  (cd "$folder" && npm ci --no-audit --no-fund --loglevel=error)
  touch "$folder/node_modules/.package-lock.json"
done
