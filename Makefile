# Latchkey. `make` lists the targets. Settings work from the command line: make run PORT=9000

SHELL := /bin/sh
.DEFAULT_GOAL := help
MAKEFLAGS += --no-print-directory

# The first Python 3.11 or newer on PATH.
PYTHON ?= $(shell for name in python3 python3.14 python3.13 python3.12 python3.11; do \
	if $$name -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; \
	then echo $$name; break; fi; done)
BIN := .venv/bin
# Whole files to each worker, which takes ten seconds to collect the tests: two are enough for what
# runs in one process, four for what waits for others. conftest.py knows which files take longest.
PARALLEL := --dist loadfile --no-loadscope-reorder
WORKERS := -n 2
MORE_WORKERS := -n 4
# How many requests `make fuzz` sends for each operation and phase; `make test-all` sends 20.
FUZZ := 1000
SOURCES := setup.cfg pyproject.toml service/__init__.py

.PHONY: help run run-sso test test-all seed migrate check fuzz fix bench clean

help: ## List the targets
	@sed -n 's/^\([a-z-]*\):.*## /\1 /p' Makefile | while read -r name what; \
	do printf '  make %-9s %s\n' "$$name" "$$what"; done

run: .venv/.run .env ## Install, migrate, seed the demo users (in development), serve
	@$(BIN)/python -m service prepare
	@exec $(BIN)/python -m service serve

run-sso: .venv/.run .env ## Serve beside a fake CAS and OpenID provider, for development
	@$(BIN)/python -m service prepare
	@exec $(BIN)/python -m service idp --serve

test: .venv/.test ## Test without other programs: units, HTTP, commands
	@$(BIN)/python -m pytest $(PARALLEL) $(WORKERS) tests/unit tests/http tests/cli

test-all: .venv/.test ## Test everything once: processes, proxies, browsers and fuzzing, too
	@$(BIN)/python -m pytest $(PARALLEL) $(MORE_WORKERS)

seed: .venv/.run .env ## Create the demo users that are missing
	@$(BIN)/python -m service seed

migrate: .venv/.run .env ## Create or update the database
	@$(BIN)/python -m service migrate up

check: .venv/.check ## Exactly what CI runs: format, lint, types, all tests on both databases, coverage
	@$(BIN)/ruff format --check --quiet .
	@$(BIN)/ruff check --quiet .
	@$(BIN)/mypy
	@$(BIN)/coverage erase
	@LATCHKEY_TEST_EVERYTHING=1 $(BIN)/coverage run -m pytest $(PARALLEL) $(MORE_WORKERS)
	@$(BIN)/coverage combine --quiet
	@$(BIN)/coverage report

fuzz: .venv/.test ## Send thousands of requests made from the description (FUZZ=1000 for each route)
	@LATCHKEY_FUZZ=$(FUZZ) $(BIN)/python -m pytest tests/process/test_fuzz.py

fix: .venv/.check ## Format the code and apply the linter's fixes
	@$(BIN)/ruff check --fix .
	@$(BIN)/ruff format .

bench: .venv/.run ## Measure against a bare aiohttp handler, and with 100,000 users
	@$(BIN)/python -m bench.run
	@$(BIN)/python -m bench.start
	@$(BIN)/python -m bench.revocations
	@$(BIN)/python -m bench.users
	@$(BIN)/python -m bench.workers
	@$(BIN)/python -m bench.writes

clean: ## Remove everything that the other targets create, except .env and data/
	@rm -rf .venv build *.egg-info .coverage .coverage.* .hypothesis .mypy_cache .pytest_cache .ruff_cache
	@find . -name __pycache__ -type d -prune -exec rm -rf {} +

.venv:
	@test -n "$(PYTHON)" || { echo "Latchkey needs Python 3.11 or newer, but none is on PATH. Install it, or set its path: make run PYTHON=/path/to/python3" >&2; exit 1; }
	@test -w . || { echo "This folder is not writable. Clone Latchkey into a folder of your own." >&2; exit 1; }
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "Latchkey needs Python 3.11 or newer, but $(PYTHON) is older or does not run." >&2; exit 1; }
	@$(PYTHON) -m venv .venv || { rm -rf .venv; echo "Cannot create the virtual environment .venv. On Debian and Ubuntu, run: apt install python3-venv" >&2; exit 1; }

# Each stamp file is newer than its sources, so a second run installs nothing.
.venv/.run: EXTRAS :=
.venv/.test: EXTRAS := [test]
.venv/.check: EXTRAS := [test,check]

.venv/.run .venv/.test .venv/.check: $(SOURCES) | .venv
	@echo "Installing Latchkey$(EXTRAS) into .venv (once) ..."
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable '.$(EXTRAS)'
	@touch $@

# Create .env with a new JWT_SECRET_KEY, readable only by its owner. Never overwrite it.
.env: | .venv
	@umask 077; key=$$($(BIN)/python -c 'import secrets; print(secrets.token_hex(64))') && \
	while IFS= read -r line; do \
		case $$line in JWT_SECRET_KEY=*) line=JWT_SECRET_KEY=$$key ;; esac; printf '%s\n' "$$line"; \
	done < .env.example > .env.new && mv -n .env.new .env && echo "Created .env with a new JWT_SECRET_KEY."
