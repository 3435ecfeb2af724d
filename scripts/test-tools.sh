#!/bin/sh
# Installs the public tools that the tests compare with (awscli, rclone, moto: tests/requirements.txt) into a Python virtual
# environment: .venv in the repository root, or SNAPHAVEN_TEST_VENV. Run again, it changes nothing.
set -eu

root=$(cd "$(dirname "$0")/.." && pwd)
requirements=$root/tests/requirements.txt
venv=${SNAPHAVEN_TEST_VENV:-$root/.venv}
mark=$venv/requirements.txt

if cmp -s "$requirements" "$mark"; then
    echo "test-tools: $venv is up to date"
    exit 0
fi
help="on Debian: apt-get install python3 python3-venv"
if ! command -v python3 >/dev/null; then
    echo "error: python3 is missing; $help" >&2
    exit 1
fi
echo "test-tools: installing awscli, rclone and moto into $venv (500 MB on disk, a minute)"
python3 -m venv "$venv" || { echo "error: python3 could not make a virtual environment; $help" >&2; exit 1; }
"$venv/bin/python" -m pip install --quiet --disable-pip-version-check --requirement "$requirements"
cp "$requirements" "$mark"
