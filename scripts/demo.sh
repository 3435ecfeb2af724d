#!/usr/bin/env bash
# A server with something on it: serves from a folder of its own, makes an admin, and fills it as people would.
set -euo pipefail
cd "$(dirname "$0")/.."

data=${DEMO_DATA:-data/demo}
address=${DEMO_LISTEN:-127.0.0.1:8080}
server=target/debug/snaphaven
if [ -e "$data/snaphaven.sqlite" ]; then
  echo "▸ $data is filled already; to begin anew, delete it"
  exec "$server" serve --data-dir "$data" --listen "$address"
fi
mkdir -p "$data"
password=$(head -c 12 /dev/urandom | base64 | tr '+/' 'xy')
"$server" migrate up --data-dir "$data" --set log.filter=warn >/dev/null
"$server" admin create --username admin --email admin@example.org --password-stdin --data-dir "$data" --set log.filter=warn >/dev/null <<<"$password"
"$server" serve --data-dir "$data" --listen "$address" --set log.filter=warn &
serving=$!
trap 'kill "$serving" 2>/dev/null || true' EXIT
until curl -sf "http://$address/readyz" >/dev/null; do
  kill -0 "$serving" 2>/dev/null || { echo "error: the server did not start" >&2; exit 1; }
  sleep 0.2
done
"$server" demo --url "http://$address" "$@"
echo
echo "▸ the panel: http://$address/admin/   admin / $password"
echo "▸ stop with Ctrl-C; it is all in $data"
wait "$serving"
