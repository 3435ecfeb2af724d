#!/usr/bin/env bash
# Checks that the database servers are there which the tests start for themselves, in temporary folders on free ports, and
# libfaketime. Installs missing Debian packages when it may, and names them when not.
set -euo pipefail

missing=()
command -v postgres >/dev/null || compgen -G '/usr/lib/postgresql/*/bin/postgres' >/dev/null || missing+=(postgresql)
command -v mariadbd >/dev/null || [ -x /usr/sbin/mariadbd ] || missing+=(mariadb-server)
# One server's clock is set wrong by a library that is loaded before all others.
compgen -G '/usr/lib/*/faketime/libfaketimeMT.so.1' >/dev/null || missing+=(libfaketime)
command -v setpriv >/dev/null || missing+=(util-linux)
command -v pgrep >/dev/null || missing+=(procps)
if [ ${#missing[@]} -eq 0 ]; then
  echo "test-databases: Postgres, MariaDB and libfaketime are there"
  exit 0
fi
if [ "$(id -u)" != 0 ] || ! command -v apt-get >/dev/null; then
  echo "error: missing: ${missing[*]}" >&2
  echo "help: on Debian: sudo apt-get install ${missing[*]}" >&2
  exit 1
fi
echo "test-databases: installing ${missing[*]} with apt-get (a minute)"
export DEBIAN_FRONTEND=noninteractive
apt-get update -qq
apt-get install -y -qq --no-install-recommends "${missing[@]}" >/dev/null
