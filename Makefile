# Everything a person or a CI does with this repository. Works with uv, and without it.

PYTHON ?= $(shell for python in python3 python3.14 python3.13 python3.12 python3.11; do \
	$$python -c 'import sys; raise SystemExit(sys.version_info < (3, 11))' 2>/dev/null && command -v $$python && break; done)
UV := $(shell command -v uv 2>/dev/null)
BIN := .venv/bin
ARGS ?=

.DEFAULT_GOAL := help
.PHONY: help run test check format test-asgi test-servers test-real-vllm bench lock build clean

help:  ## show this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-16s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

run: .venv/run.stamp  ## install and serve; without ARGS="--upstream http://host:port/v1" on the embedded engine
	@$(BIN)/vllm-gateway serve $(ARGS)

test: .venv/dev.stamp  ## install and pass all tests that need no vLLM
	@$(BIN)/pytest -n auto $(ARGS)

test-asgi: .venv/dev.stamp  ## pass the tests of the wire on the ASGI lane, as `edge.express: false` has it
	@$(BIN)/pytest -n auto --lane asgi tests/edge tests/wire $(ARGS)

check: .venv/dev.stamp  ## lint, format, types, import contracts, house rules
	@$(BIN)/ruff check
	@$(BIN)/ruff format --check
	@$(BIN)/mypy
	@$(BIN)/lint-imports
	@$(BIN)/pytest tests/house

format: .venv/dev.stamp  ## put the code into its form
	@$(BIN)/ruff check --fix
	@$(BIN)/ruff format

test-servers: .venv/dev.stamp  ## pass the tests of the shared stores on private servers (redis-server, postgresql and prometheus must be installed)
	@$(BIN)/pytest -m servers tests $(ARGS)

test-real-vllm: .venv/dev.stamp  ## build a real vLLM for this CPU (some GB, once) and pass the tests through it
	@scripts/real_vllm_env.sh
	@$(BIN)/pytest -m real_vllm tests/real_vllm $(ARGS)

bench: .venv/dev.stamp  ## measure the gateway beside its replica, and write benchmarks/results/
	@$(BIN)/python -m benchmarks.compare $(ARGS)

build: .venv/dev.stamp  ## make the wheel
	@$(BIN)/python -m hatchling build

lock:  ## pin every dependency by hash (needs uv)
	@$(call compile,requirements/run.txt,pyproject.toml)
	@$(call compile,requirements/dev.txt,pyproject.toml --all-extras --group dev)
	@$(call compile,requirements/build.txt,--group build -c requirements/dev.txt)

compile = uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-emit-index-url \
	--no-emit-find-links --no-header $(2) -o $(1)

clean:  ## remove everything that was made here
	@rm -rf .venv dist .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
	@find . -name __pycache__ -type d -prune -exec rm -rf {} +

.venv/bin/python:
	@[ -n "$(PYTHON)" ] || { echo "Python 3.11 or newer is needed; none was found. Name it: make PYTHON=/path/to/python" >&2; exit 1; }
ifdef UV
	@uv venv --quiet --python "$(PYTHON)" .venv
else
	@"$(PYTHON)" -m venv .venv
endif

# The development set holds the other one, so an environment that has it is complete for running too.
.venv/run.stamp: .venv/bin/python requirements/run.txt requirements/build.txt pyproject.toml
	@[ -e .venv/dev.stamp ] || { $(call install,requirements/run.txt); }
	@touch $@

.venv/dev.stamp: .venv/bin/python requirements/dev.txt requirements/build.txt pyproject.toml
	@$(call install,requirements/dev.txt)
	@touch $@

ifdef UV
install = echo "installing $(1)" && uv pip install --quiet --python $(BIN)/python --require-hashes -r $(1) -r requirements/build.txt \
	&& uv pip install --quiet --python $(BIN)/python --no-build-isolation --no-deps --editable .
else
install = echo "installing $(1)" && $(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r $(1) -r requirements/build.txt \
	&& $(BIN)/python -m pip install --quiet --disable-pip-version-check --no-build-isolation --no-deps --editable .
endif
