# make run and make test need Python 3.11 or newer, make and git; everything else is set up here.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed

.PHONY: help setup run test check faults faults-cluster chaos schema-test fuzz real-files image-test container-test audit bench screenshots format requirements clean

help: ## list what can be made
	@awk 'BEGIN {FS = ":.*## "} /^[a-z-]+:.*## / {printf "  make %-14s %s\n", $$1, $$2}' Makefile

setup: $(STAMP) ## create .venv with the pinned dependencies and the command line birthdays

$(STAMP): requirements.txt pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
		{ echo "Python 3.11 or newer is needed; choose one with: make $(MAKECMDGOALS) PYTHON=python3.12"; exit 1; }
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	@echo "Installing the pinned dependencies into $(VENV), about half a minute the first time ..."
	@$(BIN)/python -m pip --disable-pip-version-check --quiet install --require-hashes --requirement requirements.txt
	@$(BIN)/python -m pip --disable-pip-version-check --quiet install --no-deps --no-build-isolation --editable .
	@touch $(STAMP)

run: setup ## serve API and scheduler on 127.0.0.1:8000 with PostgreSQL and Valkey of its own
	@exec $(BIN)/birthdays serve

test: check ## every test, with real servers
	$(BIN)/pytest -m "servers or slow" -n 2 --dist worksteal

faults: setup ## break what the cache stands on for SECONDS=600 under load and look for stale reads; SEED=n repeats
	$(BIN)/python -m tests.faults --seconds $(or $(SECONDS),600) $(if $(SEED),--seed $(SEED)) \
		--service $(or $(SERVICE),ours)

faults-cluster: setup ## the same over a Valkey Cluster of six nodes: failovers, resharding, for SECONDS=600
	$(BIN)/python -m tests.faults.sharded --seconds $(or $(SECONDS),600) $(if $(SEED),--seed $(SEED)) \
		--service $(or $(SERVICE),ours)

bench: setup ## measure beside peers and limits, into docs/benchmarks; PART=hit for one part, QUICK=1 for a short look
	@$(BIN)/python -m pip --disable-pip-version-check --quiet install --editable '.[peers]'
	@if command -v npm >/dev/null; then npm ci --silent --prefix benchmarks/peers/fastify; fi
	$(BIN)/python -m benchmarks $(if $(PART),--part $(PART)) $(if $(QUICK),--quick)

chaos: setup ## break processes and PostgreSQL while messages fall due, for SECONDS=600, MESSAGES=100000; SEED=n repeats
	$(BIN)/python -m tests.chaos --seconds $(or $(SECONDS),600) --messages $(or $(MESSAGES),100000) \
		$(if $(SEED),--seed $(SEED)) $(if $(WITHOUT),--without $(WITHOUT))

schema-test: setup ## ask the running service whatever its document allows, EXAMPLES=100 times per operation
	$(BIN)/python -m tests.schema $(or $(EXAMPLES),100)

fuzz: setup ## look for bytes that the parsers stumble over, for SECONDS=300, led by coverage
	$(BIN)/python -m tests.fuzz $(or $(SECONDS),300)

real-files: setup ## import real files of people that lie in FOLDER, and list every count and refusal
	@$(BIN)/python -m tests.real_files $(FOLDER)

image-test: setup ## carry out the steps of the image in a folder, for who has no Docker, and run what comes of it
	@$(BIN)/python -m tests.deploy

container-test: setup ## build the image with ENGINE=docker or podman, and run it as closed as it can be
	@$(BIN)/python -m tests.deploy.container $(or $(ENGINE),docker)

audit: setup ## look the pinned dependencies up among known vulnerabilities; needs the network
	@test -x $(VENV)/audit/bin/pip-audit || { $(BIN)/python -m venv $(VENV)/audit && \
		$(VENV)/audit/bin/pip --disable-pip-version-check --quiet install 'pip-audit>=2.10'; }
	$(BIN)/python -m tests.audit $(VENV)/audit/bin/pip-audit requirements.txt

check: setup ## format, lint, types, import rules, unit tests; a minute or two
	$(BIN)/ruff format --check
	$(BIN)/ruff check
	@# The types take one core for as long as the tests would take the other: beside each other, and both are told.
	@told=$$(mktemp); $(BIN)/mypy >$$told 2>&1 & types=$$!; trap "kill $$types" INT TERM; \
	$(BIN)/lint-imports && nice $(BIN)/pytest -m "not servers and not slow" -n 2 --dist worksteal; others=$$?; \
	wait $$types; types=$$?; echo "mypy:"; cat $$told; rm $$told; exit $$((others || types))

screenshots: setup ## take the guide's pictures of the page anew, into docs/screenshots; needs Chromium
	$(BIN)/python -m tests.browser.screenshots

format: setup ## bring the code into the one format
	$(BIN)/ruff format
	$(BIN)/ruff check --fix

requirements: setup ## pin every dependency anew, with hashes
	$(BIN)/python -m pip --quiet install uv
	$(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-header \
		--upgrade --extra dev pyproject.toml --output-file requirements.txt
	$(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-header \
		--no-annotate --constraint requirements.txt --override deploy/overrides.txt pyproject.toml \
		--output-file deploy/requirements.txt
	echo hatchling | $(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes \
		--no-emit-index-url --no-header --no-annotate --constraint requirements.txt - \
		--output-file deploy/requirements-build.txt

clean: ## remove what setup made; data in var/ stays
	rm -rf $(VENV) .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
