# Everything a person or a CI does with this repository. Works with uv, and without it.

PYTHON ?= $(shell for python in python3 python3.14 python3.13 python3.12 python3.11; do \
	$$python -c 'import sys; raise SystemExit(sys.version_info < (3, 11))' 2>/dev/null && command -v $$python && break; done)
UV := $(shell command -v uv 2>/dev/null)
BIN := .venv/bin
ARGS ?=

.DEFAULT_GOAL := help
COMPOSE = docker compose -f deploy/compose.yaml
PROFILES = $${COMPOSE_PROFILES:-$$(case "$$USE_GPU" in (0) echo cpu;; (1) echo gpu;; \
	(*) named=$$(sed -n 's/^COMPOSE_PROFILES=//p' deploy/.env 2>/dev/null); echo "$${named:-sim}";; esac)}
WITHOUT_DOCKER = Docker with Compose is not here. Without it: make run, or with vLLM installed: $(BIN)/vllm-gateway up MODEL
.PHONY: help run chat frontend install-frontend up down logs restart test check lint check-deploy format test-asgi test-servers test-real-vllm bench docs lock audit sbom build clean

help:  ## show this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-16s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

run: .venv/run.stamp  ## install and serve; without ARGS="--upstream http://host:port/v1" on the embedded engine
	@$(BIN)/vllm-gateway serve $(ARGS)

chat: .venv/dev.stamp  ## talk to the gateway in the terminal
	@$(BIN)/vllm-gateway chat $(ARGS)

install-frontend: .venv/dev.stamp  ## install what the terminal chat needs

frontend: chat  ## the same as chat

up: compose  ## start it in containers: what deploy/.env says, or USE_GPU=1 or 0 on vLLM, else on the embedded engine
	@COMPOSE_PROFILES="$(PROFILES)" $(COMPOSE) up --detach --wait $(ARGS)

down: compose  ## stop the containers
	@$(COMPOSE) --profile '*' down $(ARGS)

logs: compose  ## follow what the containers say
	@$(COMPOSE) --profile '*' logs --follow $(ARGS)

restart: compose  ## stop the gateway's container when its streams are over, and start it again
	@$(COMPOSE) restart gateway $(ARGS)

.PHONY: compose
compose:
	@docker compose version >/dev/null 2>&1 || { echo "$(WITHOUT_DOCKER)" >&2; exit 1; }

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

check-deploy: .venv/dev.stamp  ## have Compose, systemd, Helm and hadolint read deploy/, as far as they are installed
	@$(BIN)/python -m scripts.check_deploy

lint: .venv/dev.stamp  ## the quick part of check
	@$(BIN)/ruff check
	@$(BIN)/ruff format --check

format: .venv/dev.stamp  ## put the code into its form
	@$(BIN)/ruff check --fix
	@$(BIN)/ruff format

test-servers: .venv/dev.stamp  ## pass the tests that need servers or a browser (redis-server, postgresql, prometheus and chromium must be installed)
	@$(BIN)/pytest -n auto -m servers tests $(ARGS)

test-real-vllm: .venv/dev.stamp  ## build a real vLLM for this CPU (some GB, once) and pass the tests through it
	@scripts/real_vllm_env.sh
	@$(BIN)/pytest -m real_vllm tests/real_vllm $(ARGS)

bench: .venv/dev.stamp  ## measure the gateway beside its replica, and write benchmarks/results/
	@$(BIN)/python -m benchmarks.compare $(ARGS)

docs: .venv/docs.stamp  ## build the site of the documentation into site/
	@NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --strict --quiet && echo "site/index.html"

build: .venv/dev.stamp  ## make the wheel
	@$(BIN)/python -m hatchling build

audit:  ## ask whether a pinned dependency has a known hole (needs uv and the network)
	@uv tool run pip-audit --require-hashes --disable-pip -r requirements/image.txt

sbom:  ## list what the image holds, as CycloneDX, in dist/ (needs uv)
	@mkdir -p dist && uv tool run --quiet --from cyclonedx-bom cyclonedx-py requirements requirements/image.txt \
		--pyproject pyproject.toml --output-reproducible --output-file dist/vllm-gateway.cdx.json && echo "dist/vllm-gateway.cdx.json"

lock:  ## pin every dependency by hash (needs uv)
	@$(call compile,requirements/run.txt,pyproject.toml)
	@$(call compile,requirements/dev.txt,pyproject.toml --all-extras --group dev)
	@$(call compile,requirements/image.txt,pyproject.toml --extra redis --extra postgres --extra tokenizer --extra patterns -c requirements/dev.txt)
	@$(call compile,requirements/docs.txt,--group docs -c requirements/dev.txt)
	@$(call compile,requirements/build.txt,--group build -c requirements/dev.txt)

compile = uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-emit-index-url \
	--no-emit-find-links --no-header $(2) -o $(1)

clean:  ## remove everything that was made here
	@rm -rf .venv dist site .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
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

.venv/docs.stamp: .venv/bin/python requirements/docs.txt
ifdef UV
	@echo "installing requirements/docs.txt" && uv pip install --quiet --python $(BIN)/python --require-hashes -r requirements/docs.txt
else
	@echo "installing requirements/docs.txt" && $(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements/docs.txt
endif
	@touch $@

ifdef UV
install = echo "installing $(1)" && uv pip install --quiet --python $(BIN)/python --require-hashes -r $(1) -r requirements/build.txt \
	&& uv pip install --quiet --python $(BIN)/python --no-build-isolation --no-deps --editable .
else
install = echo "installing $(1)" && $(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r $(1) -r requirements/build.txt \
	&& $(BIN)/python -m pip install --quiet --disable-pip-version-check --no-build-isolation --no-deps --editable .
endif
