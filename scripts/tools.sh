#!/usr/bin/env bash
# Checks that the build's tools are there. Installs missing Debian packages when it may, and names them when not.
set -euo pipefail
cd "$(dirname "$0")/.."

missing=()
command -v cc >/dev/null || missing+=(build-essential)
command -v cmake >/dev/null || missing+=(cmake) # libjpeg-turbo
command -v nasm >/dev/null || missing+=(nasm)   # its SIMD code
if [ ${#missing[@]} -gt 0 ]; then
  if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; then
    scripts/step.sh "installing ${missing[*]} with apt-get" "1 minute" \
      env DEBIAN_FRONTEND=noninteractive sh -c 'apt-get update -qq && apt-get install -y -qq --no-install-recommends "$@" >/dev/null' sh "${missing[@]}"
  else
    echo "error: these tools are missing: ${missing[*]}" >&2
    echo "help: on Debian: sudo apt-get install ${missing[*]}" >&2
    exit 1
  fi
fi

if ! command -v cargo >/dev/null; then
  echo "error: Rust is missing" >&2
  echo "help: install it by rustup (rustup.rs), version $(sed -n 's/^rust-version = "\(.*\)"/\1/p' Cargo.toml | head -1) or later" >&2
  exit 1
fi

if command -v npm >/dev/null && [ "$(npm --version 2>/dev/null | cut -d. -f1)" -lt 11 ]; then
  echo "note: GraphiQL's build tool may not install with npm $(npm --version): npm install --global npm@11 mends that"
fi
