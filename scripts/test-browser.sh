#!/usr/bin/env bash
# Checks that Chromium is there, which the tests of pages drive: Debian's, at /usr/bin/chromium, or SNAPHAVEN_TEST_CHROMIUM.
# Installs the Debian package when it may, and names it when not.
set -euo pipefail

chromium=${SNAPHAVEN_TEST_CHROMIUM:-/usr/bin/chromium}
if [ -x "$chromium" ]; then
  echo "test-browser: $chromium is there"
  exit 0
fi
if [ -n "${SNAPHAVEN_TEST_CHROMIUM:-}" ] || [ "$(id -u)" != 0 ] || ! command -v apt-get >/dev/null; then
  echo "error: missing: $chromium" >&2
  echo "help: on Debian: sudo apt-get install chromium; elsewhere set SNAPHAVEN_TEST_CHROMIUM to a Chromium or Chrome" >&2
  exit 1
fi
echo "test-browser: installing chromium with apt-get (300 MB on disk, a minute)"
export DEBIAN_FRONTEND=noninteractive
apt-get update -qq
apt-get install -y -qq --no-install-recommends chromium >/dev/null
