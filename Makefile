# The commands of the README. Everything runs from a virtual environment that `make` builds from the lock.
SHELL := /bin/bash
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
CONFIG ?= config/local.toml

.PHONY: run test soak check bots bench bench-boards lock system-packages clean

run: $(VENV)/ready
	$(BIN)/gameserver up --config $(CONFIG)

# Two at a time, each with servers of its own; a file's tests stay together.
test: check system-packages
	$(BIN)/pytest -n 2 --dist loadfile

# Races and interleavings by the thousand.
soak: $(VENV)/ready
	$(BIN)/pytest -m soak --timeout 900

check: $(VENV)/ready
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports --no-cache

bots: $(VENV)/ready
	$(BIN)/bots run --players 200 --seconds 30 --url http://127.0.0.1:8080 --admin-key-file var/local/admin.key

bench: CONFIG = config/one.toml
bench: $(VENV)/ready
	CONFIG=$(CONFIG) $(BIN)/python -m tests.bench

# Reads of the boards of a deployment that runs: URL=http://… BOARD=exp
bench-boards: $(VENV)/ready
	$(BIN)/python -m tests.bench.boards

# Packages that pip can't bring. Without root the tests that need one are skipped loudly; under CI=true they fail.
system-packages:
	@.ci/system-packages

# Names, versions and hashes only: no registry's address may be recorded.
lock:
	$(BIN)/pip install --quiet uv
	$(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-emit-index-url \
		--no-emit-find-links --no-header --no-annotate -o requirements.lock pyproject.toml
	$(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-emit-index-url \
		--no-emit-find-links --no-header --no-annotate --extra dev --no-emit-package gameserver \
		-c requirements.lock -o requirements-dev.lock pyproject.toml

$(VENV)/ready: requirements-dev.lock pyproject.toml
	$(PYTHON) -m venv $(VENV)
	$(BIN)/pip install --quiet --disable-pip-version-check --require-hashes -r requirements-dev.lock
	$(BIN)/pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation -e .
	@touch $@

clean:
	rm -rf $(VENV) var .mypy_cache .ruff_cache .pytest_cache .hypothesis
