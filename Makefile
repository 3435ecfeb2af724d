# Snaphaven: build, run, test. `make` alone lists the targets.

SHELL := bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help

# Arguments of `make run`, for example ARGS="--listen 127.0.0.1:9000 --data-dir /tmp/haven".
ARGS ?=
# What `make trials` runs: which suite, on which database (sqlite, postgres or mariadb), from which seed, how many rounds; of
# the suite uploads, how large a file.
SUITE ?=
DATABASE ?= sqlite
SEED ?= 1
ROUNDS ?= 50
MIB ?= 2048
export SUITE DATABASE SEED ROUNDS MIB

# Empty where Node is missing or too old for the panel.
NODE := $(shell npm --version >/dev/null 2>&1 && node -p 'process.versions.node.split(".")[0] >= 20 || ""' 2>/dev/null)
PAGES := admin/dist/graphiql/index.html
PAGE_SOURCES := $(shell find admin -type f -not -path '*/node_modules/*' -not -path '*/dist/*')

.PHONY: help run demo test trials bench lint format schema pages tools

help: ## List the targets
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "  make %-8s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

run: tools pages ## Build and serve at http://127.0.0.1:8080 (some 5 minutes the first time on 2 cores, then seconds)
	@scripts/step.sh "building the server" "4 minutes the first time, then seconds" cargo build --locked
	@echo "▸ serving; stop with Ctrl-C"
	@exec cargo run --quiet --locked -- serve $(ARGS)

demo: tools pages ## Serve from data/demo, filled with people, pictures, snaps and reports (a minute after the build)
	@scripts/step.sh "building the server" "4 minutes the first time, then seconds" cargo build --locked
	@exec scripts/demo.sh $(ARGS)

test: tools pages ## Run every test that guards a merge (some 40 minutes from a clean clone on 2 cores, then 25)
	@scripts/test.sh

trials: tools ## Long fault and race trials: make trials SUITE=… DATABASE=… SEED=… ROUNDS=…
	@scripts/trials.sh

bench: tools ## Benchmarks (a release build, optimised across crates: some 20 minutes the first time on 2 cores)
	@scripts/step.sh "running benchmarks" "20 minutes the first time" cargo bench --locked --bench '*'

lint: ## Format, clippy, dependencies, panel
	cargo fmt --all --check
	cargo clippy --workspace --all-targets --locked -- -D warnings
	@if cargo deny --version >/dev/null 2>&1; then cargo deny check; else echo "▸ skipped: cargo deny is not installed"; fi
	@if [ -n "$(NODE)" ]; then $(MAKE) --no-print-directory admin/node_modules/.package-lock.json && npm --prefix admin run lint && npm --prefix admin test; else echo "▸ skipped: the panel's lint needs Node"; fi

format: ## Format everything
	cargo fmt --all
	@if [ -d admin/node_modules ]; then npm --prefix admin run format; fi

schema: tools ## Regenerate schema.graphql
	@cargo run --quiet --locked -- schema > schema.graphql.new
	@mv schema.graphql.new schema.graphql
	@git --no-pager diff --stat -- schema.graphql

tools:
	@scripts/tools.sh

ifdef NODE
pages: $(PAGES) ## Build the admin panel and GraphiQL (some 2 minutes the first time; only when its sources changed)
else
pages:
	@echo "▸ skipped: the admin panel and GraphiQL need Node 20 or later with npm 11; everything else works without"
endif

$(PAGES): admin/node_modules/.package-lock.json $(PAGE_SOURCES)
	@scripts/step.sh "building the admin panel and GraphiQL" "1 minute" npm --prefix admin run --silent build
	@touch $@

admin/node_modules/.package-lock.json: admin/package.json admin/package-lock.json
	@scripts/step.sh "installing the panel's npm packages" "30 seconds" npm --prefix admin ci --loglevel=error
	@touch $@
