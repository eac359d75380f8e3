# Latchkey. `make` lists the targets. Settings work from the command line: make run PORT=9000

SHELL := /bin/sh
.DEFAULT_GOAL := help
MAKEFLAGS += --no-print-directory

# What works with another Python, or installs into another place, does not belong to .venv. An empty
# value also has priority over pip's configuration files.
unexport PYTHONHOME PYTHONPATH PYTHONSAFEPATH PYTHONPLATLIBDIR PYTHONWARNINGS
override export PIP_USER :=
override export PIP_TARGET :=
override export PIP_PREFIX :=
override export PIP_ROOT :=
override export PIP_PYTHON :=
override export PIP_DRY_RUN :=
override export PIP_NO_DEPS :=
override export PIP_REQUIRE_HASHES :=
override export PIP_NO_BUILD_ISOLATION :=

# The first Python 3.11 or newer on PATH.
PYTHON ?= $(shell unset PYTHONHOME PYTHONPATH; \
	for name in python3 python3.14 python3.13 python3.12 python3.11; do \
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

.PHONY: help run run-sso test test-all seed migrate check fuzz fix bench clean FORCE
# Two targets would install into .venv at the same time.
.NOTPARALLEL:

help: ## List the targets
	@tr -d '\r' <Makefile | sed -n 's/^\([a-z-]*\):.*## /\1 /p' | while read -r name what; \
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
	@$(BIN)/python -m ruff format --check --quiet .
	@$(BIN)/python -m ruff check --quiet .
	@$(BIN)/python -m mypy
	@$(BIN)/python -m coverage erase
	@LATCHKEY_TEST_EVERYTHING=1 $(BIN)/python -m coverage run -m pytest $(PARALLEL) $(MORE_WORKERS)
	@$(BIN)/python -m coverage combine --quiet
	@$(BIN)/python -m coverage report

fuzz: .venv/.test ## Send thousands of requests made from the description (FUZZ=1000 for each route)
	@LATCHKEY_FUZZ=$(FUZZ) $(BIN)/python -m pytest tests/process/test_fuzz.py

fix: .venv/.check ## Format the code and apply the linter's fixes
	@$(BIN)/python -m ruff check --fix .
	@$(BIN)/python -m ruff format .

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

# The next command repairs an unfinished .venv, and one whose folder or Python has moved. `.unfinished` is
# there while an installation runs. A failed installation leaves a .venv that worked before as it was.
.venv/.run: EXTRAS :=
.venv/.test: EXTRAS := [test]
.venv/.check: EXTRAS := [test,check]

.venv/.run .venv/.test .venv/.check: $(SOURCES) FORCE
	@trap 'exit 130' INT TERM HUP; \
	why=; \
	if [ -e .venv/.unfinished ]; then \
		other=$$(cat .venv/.unfinished); \
		if [ "$$other" != $$$$ ] && grep -q '[.]venv/[.]unfinished' "/proc/$$other/cmdline" 2>/dev/null; then \
			echo "Another make (process $$other) installs into .venv. Wait until it has finished." >&2; exit 1; \
		fi; \
		why="its installation was interrupted"; \
	elif [ ! -e .venv ] && [ ! -L .venv ]; then :; \
	elif ! $(BIN)/python -I -c '$(HAS_PIP)' 2>/dev/null; then why="its Python is missing, too old or incomplete"; \
	elif [ -e .venv/.run ] || [ -e .venv/.test ] || [ -e .venv/.check ]; then \
		$(BIN)/python -I -c '$(IS_OURS)' 2>/dev/null || why="it belongs to another folder"; \
	fi; \
	if [ -n "$$why" ]; then \
		echo "Creating .venv again, because $$why ..."; \
		rm -rf .venv || { echo "Cannot remove .venv. Remove it, then run make again." >&2; exit 1; }; \
	fi; \
	if [ -e $@ ] && [ -z "$(filter-out FORCE,$?)" ]; then exit 0; fi; \
	is_new=; \
	if [ ! -e .venv ]; then \
		is_new=yes; \
		$(call refuse_unless,test -n "$(PYTHON)",Latchkey needs Python 3.11 or newer$(COMMA) but none is on PATH. Install it$(COMMA) or set its path: make run PYTHON=/path/to/python3); \
		$(call refuse_unless,test -w .,This folder is not writable. Clone Latchkey into a folder of your own.); \
		case $$PWD in *:*) echo "A virtual environment cannot be in a folder with a colon in its path. Rename the folder $$PWD." >&2; exit 1;; esac; \
		$(call refuse_unless,$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3$(COMMA) 11))',Latchkey needs Python 3.11 or newer$(COMMA) but $(PYTHON) is older or does not run.); \
		mkdir .venv && echo $$$$ >.venv/.unfinished && $(PYTHON) -m venv .venv || { \
			rm -rf .venv; \
			echo "Cannot create the virtual environment .venv. On Debian and Ubuntu, run: apt install python3-venv" >&2; \
			exit 1; }; \
	fi; \
	echo "Installing Latchkey$(EXTRAS) into .venv (once) ..."; \
	$(call refuse_unless,echo $$$$ >.venv/.unfinished,The folder .venv is not writable.); \
	if $(BIN)/python -m pip install --quiet --disable-pip-version-check --editable '.$(EXTRAS)'; \
	then touch $@ && rm -f .venv/.unfinished; \
	else \
		test -n "$$is_new" || rm -f .venv/.unfinished; \
		echo "Cannot install the libraries: see the message of pip above. Then run make again." >&2; \
		exit 1; \
	fi

HAS_PIP := import sys, pip; sys.exit(sys.version_info < (3, 11))
IS_OURS := import os, sys, service; sys.exit(not os.path.samefile(service.__path__[0], "service"))
COMMA := ,
refuse_unless = $(1) || { echo "$(2)" >&2; exit 1; }

# Create .env with a new JWT_SECRET_KEY, readable only by its owner. Never overwrite it.
.env: | .venv/.run
	@$(call refuse_unless,test -w .,This folder is not writable. Clone Latchkey into a folder of your own.); \
	umask 077; key=$$($(BIN)/python -c 'import secrets; print(secrets.token_hex(64))') && \
	while IFS= read -r line; do \
		case $$line in JWT_SECRET_KEY=*) line=JWT_SECRET_KEY=$$key ;; esac; printf '%s\n' "$$line"; \
	done < .env.example > .env.new && mv -n .env.new .env && echo "Created .env with a new JWT_SECRET_KEY."
