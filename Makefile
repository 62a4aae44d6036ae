# Everything a newcomer runs. `make help` lists it.
VENV := .venv
BIN := $(VENV)/bin
# the first interpreter that is new enough; PYTHON=... names another
PYTHON ?= $(shell for p in python3 python3.14 python3.13 python3.12 python3.11; do \
	$$p -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && echo $$p && break; done)

.PHONY: help install demo serve test lint check bench train lock compose-test clean

help: ## what there is to run
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed 's/:.*##/:/' | column -t -s:

install: $(VENV)/installed ## the environment, from the lock

$(VENV)/installed: requirements.lock pyproject.toml
	@test -n "$(PYTHON)" || { echo "Python 3.11 or newer is needed and was not found; name one with PYTHON=..."; exit 1; }
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet -r requirements.lock
	$(BIN)/python -m pip install --quiet --no-deps --editable .
	touch $@

demo: install ## a dissection over HTTP from nothing to a queried unit
	$(BIN)/unitatlas demo

serve: install ## API, relay and one worker, until interrupted
	$(BIN)/unitatlas up

test: install ## the whole suite, PostgreSQL and Redis included
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest --numprocesses 2 --dist worksteal

lint: install ## style, types, imports, migrations
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	rm -rf build/check && UNITATLAS_DATA_DIR=build/check $(BIN)/alembic -q upgrade head
	UNITATLAS_DATA_DIR=build/check $(BIN)/alembic -q check

check: lint test ## what CI runs

bench: install ## the figures of docs/benchmarks.md
	$(BIN)/python -m tests.benchmarks

train: install ## the networks of the built-in world, resumed where they stopped, and their figures
	$(BIN)/python -m workers.scenes.training
	$(BIN)/python -m workers.jobs.world
	$(BIN)/python -m workers.jobs.world.attacking
	$(BIN)/python -m workers.jobs.world.drawn

lock: ## requirements.lock from pyproject.toml
	$(PYTHON) -m venv $(VENV)/lock && $(VENV)/lock/bin/pip install --quiet uv
	$(VENV)/lock/bin/uv pip compile --universal --python-version 3.11 --all-extras --no-header --no-annotate --upgrade \
		--output-file requirements.lock pyproject.toml

compose-test: install ## build the images, bring the stack up and run one job through it
	./deploy/compose-test

clean: ## everything that make made
	rm -rf $(VENV) .unitatlas
