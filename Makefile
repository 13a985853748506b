# The commands of the README. Everything runs from a virtual environment that `make` builds from the lock.
SHELL := /bin/bash
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
CONFIG ?= config/local.toml
NODE ?= node-1
DURATION ?= 3600
COUNT ?= 1000000
SEED ?= 1
ELSEWHERE := /var/lib/gameserver
# Tests that start no server.
FAST := tests/rules tests/bots tests/config tests/transport/wire tests/transport/callers/test_addresses.py \
	tests/fuzz/test_parsers.py tests/commands/test_pacing.py tests/storage/test_ids.py tests/stack/fleet tests/test_waiting.py tests/test_coalescing.py

GATE := types lint layers lua-check
AT_ONCE = $(MAKE) --no-print-directory --jobs=2 --output-sync=target
# Whoever compiles keeps what was compiled: a run has hundreds of processes.
unexport PYTHONDONTWRITEBYTECODE

.DEFAULT_GOAL := help
.PHONY: help run test test-fast soak coverage check types lint layers collected lua-check format bots bench bench-bots bench-compare bench-boards bench-hostile bench-prices bench-replication bench-sizes mutants psql redis-cli profile lock \
	wheels system-packages clean

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "make %-15s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

run: $(VENV)/ready ## start the stack of CONFIG (config/local.toml): Postgres, Valkey and nodes
	$(BIN)/gameserver up --config $(CONFIG)

# Four at a time, each with servers of its own: half of what they do is waiting. A file's tests stay together
# (tests/support/lanes.py).
ifdef ROOM
IN_ROOM = $(or $(shell find tests -type d -path '*/$(ROOM)' -not -path '*/__pycache__*'), \
	$(error there is no folder tests/.../$(ROOM)))
test: $(VENV)/ready
	$(BIN)/pytest $(IN_ROOM)
else
test: system-packages $(VENV)/ready ## the gate and every test; ROOM=boards runs the tests of one room only
	@$(AT_ONCE) $(GATE) collected
	$(BIN)/pytest -n 4 --dist loadfile
endif

test-fast: $(VENV)/ready ## the tests that need no server, in under 30 seconds
	$(BIN)/pytest $(FAST)

soak: $(VENV)/ready ## races by the thousand, and fuzzers: DURATION=3600 (seconds), COUNT=1000000 (bad requests), SEED=1
	DURATION=$(DURATION) COUNT=$(COUNT) SEED=$(SEED) $(BIN)/pytest -m "soak or family" --timeout 900

mutants: $(VENV)/ready ## plant faults in copies of the server; the swarm must catch each: MUTANTS="no-dedupe ban-leaks"
	$(BIN)/python -m tests.mutants $(MUTANTS)

# Counts what child processes execute, too; what a test kills with SIGKILL writes no figures.
coverage: $(VENV)/ready system-packages ## every test, or those of ROOM, counted: coverage by file and in total
	$(BIN)/coverage erase
	$(BIN)/coverage run -m pytest -n 4 --dist loadfile $(IN_ROOM)
	$(BIN)/coverage combine --quiet
	$(BIN)/coverage report

check: $(VENV)/ready ## the gate: format, lint, types, layers, file lengths, Lua
	@$(AT_ONCE) $(GATE)

types: $(VENV)/ready
	$(BIN)/mypy

lint: $(VENV)/ready
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	@.ci/file-lengths

layers: $(VENV)/ready
	$(BIN)/lint-imports --no-cache

# Tests are compiled once, beside the gate, and not by each of those who run them.
collected: $(VENV)/ready
	$(BIN)/pytest --collect-only -qq > /dev/null

lua-check: $(VENV)/ready ## lint the Lua scripts as Redis gets them (part of check where luacheck is installed)
	@PYTHON=$(BIN)/python .ci/lua-check

format: $(VENV)/ready ## format the code and sort its imports
	$(BIN)/ruff check --select I --fix .
	$(BIN)/ruff format .

bots: $(VENV)/ready ## let 200 bots play on the running stack of CONFIG for 30 seconds, and prove the result
	@$(BIN)/python .ci/running.py bots $(CONFIG)

bench bench-hostile bench-prices bench-sizes: CONFIG = config/one.toml
bench: $(VENV)/ready ## measure every door: BENCH="--doors act-http,read-http --json FILE" and more (docs/benchmarks.md)
	CONFIG=$(CONFIG) $(BIN)/python -m tests.bench $(BENCH)

bench-bots: $(VENV)/ready ## what the bots themselves cost: processor time an answer, and a thousand more of them
	$(BIN)/python -m tests.bench.bots

bench-compare: $(VENV)/ready ## the ratios of two runs: A=before.json B=after.json
	$(BIN)/python -m tests.bench.compare $(A) $(B)

# Reads of the boards of a deployment that runs: URL=http://... BOARD=exp
bench-boards: $(VENV)/ready ## measure reads of the boards of a running deployment
	$(BIN)/python -m tests.bench.boards

bench-sizes: $(VENV)/ready ## bytes per player, session and action: BENCH="--players 100000 --set wal_compression=lz4"
	CONFIG=$(CONFIG) $(BIN)/python -m tests.bench.sizes $(BENCH)

bench-replication: $(VENV)/ready ## what replicas cost and give, and what a killed primary loses: BENCH="--seconds 5 --kills 3"
	$(BIN)/python -m tests.bench.replication $(BENCH)

bench-hostile: $(VENV)/ready ## what honest players notice while one address or account attacks: KINDS="network ledger"
	CONFIG=$(CONFIG) $(BIN)/python -m tests.bench.hostile $(KINDS)

bench-prices: $(VENV)/ready ## what each attack takes of a core from the servers: KINDS="ranks ledger" SECONDS=6
	CONFIG=$(CONFIG) $(BIN)/python -m tests.bench.prices $(KINDS)

psql: $(VENV)/ready ## psql on the control database of the running stack of CONFIG
	@$(BIN)/python .ci/running.py psql $(CONFIG)

redis-cli: $(VENV)/ready ## redis-cli on the Redis of the running stack of CONFIG
	@$(BIN)/python .ci/running.py redis-cli $(CONFIG)

profile: $(VENV)/ready ## record 10 seconds of a running node of CONFIG (NODE=node-1) as a flame graph
	@$(BIN)/python .ci/running.py profile $(CONFIG) $(NODE)

# Packages that pip can't bring. Without root the tests that need one are skipped loudly; under CI=true they fail.
system-packages: ## install HAProxy, Redis, etcd, nftables and luacheck, when root or sudo allows
	@.ci/system-packages

# Names, versions and hashes only: no registry's address may be recorded.
LOCK := pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-emit-index-url \
	--no-emit-find-links --no-header --no-annotate

lock: ## resolve the dependencies of both pyproject.toml into the lock files
	$(BIN)/pip install --quiet uv
	$(BIN)/uv $(LOCK) -o requirements.lock pyproject.toml
	$(BIN)/uv $(LOCK) --extra dev --no-emit-package heroledger -c requirements.lock -o requirements-dev.lock \
		pyproject.toml bots/pyproject.toml

wheels: $(VENV)/ready ## build the wheels of heroledger and heroledger-bots into dist/
	$(BIN)/python -m hatchling build --target wheel --directory dist
	cd bots && ../$(BIN)/python -m hatchling build --target wheel --directory ../dist

$(VENV)/ready: requirements-dev.lock pyproject.toml bots/pyproject.toml
	$(PYTHON) -m venv $(VENV)
	$(BIN)/pip install --quiet --disable-pip-version-check --require-hashes -r requirements-dev.lock
	$(BIN)/pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation -e . -e bots
	@touch $@

clean: ## remove the environment, caches, and the data and keys of every stack under var/, also its own behind links
	-@$(PYTHON) .ci/clean.py $(ELSEWHERE)
	rm -rf $(VENV) var dist .mypy_cache .ruff_cache .pytest_cache .hypothesis
