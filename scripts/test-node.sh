#!/bin/sh
# Installs the npm packages that the integration tests compare with, as pinned in tests/js/package-lock.json.
set -eu
cd "$(dirname "$0")/../tests/js"
if [ -f node_modules/.package-lock.json ] && [ ! package-lock.json -nt node_modules/.package-lock.json ]; then
  echo "test-node: tests/js/node_modules is up to date"
  exit 0
fi
echo "test-node: npm ci in tests/js (4 small packages, a few seconds)"
npm ci --no-audit --no-fund --loglevel=error
touch node_modules/.package-lock.json
