#!/usr/bin/env bash
# Says what a step does and how long it usually takes, runs it, and says how long it took:
# scripts/step.sh "what" "how long" command…
set -euo pipefail
what=$1 usual=$2
shift 2
echo "▸ $what (usually $usual)"
start=$SECONDS
"$@"
echo "  done in $((SECONDS - start)) s"
