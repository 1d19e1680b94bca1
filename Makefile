# Everything that a newcomer needs; `make` alone lists it.
SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
.ONESHELL:

VENV := .venv
STAMP := $(VENV)/.installed
PLATFORM := $(VENV)/bin/fraud-platform
UP_FLAGS ?=
BENCH ?=
# Four on two cores: much of the time is spent waiting.
TEST_FLAGS ?= --numprocesses 4 --dist loadfile --no-loadscope-reorder

# Where the shell forbids it, each of the suite's hundreds of processes would compile everything anew.
export PYTHONDONTWRITEBYTECODE :=

# One line that says what pip is at; silent when nobody watches.
define PROGRESS
tty && /^ *(Collecting|Downloading|Installing)/ { printf "\r\033[K%.78s", $$0; fflush() }
END { if (tty) printf "\r\033[K" }
endef
export PROGRESS

.PHONY: help install venv up down test test-failure bench check clean

help: ## this list
	@grep -hE '^[a-z-]+:.*## ' $(firstword $(MAKEFILE_LIST)) | sort | awk -F ':.*## ' '{ printf "  make %-14s %s\n", $$1, $$2 }'

up: $(STAMP) ## start the whole platform and wait until it works (again: mends what died)
	@"$(PLATFORM)" up $(UP_FLAGS)

down: ## stop everything in order; the data stay
	@if [ -x "$(PLATFORM)" ]; then "$(PLATFORM)" down; else echo "Nothing is installed here, so nothing runs."; fi

test: $(STAMP) ## all tests, on real services of their own
	@"$(VENV)/bin/python" -m pytest $(TEST_FLAGS)

# Three lanes: what Dagster does, and two of storms; a third storm at a time leaves a broker no processor.
test-failure: $(STAMP) ## the failure suite at full size: up to an hour (FRAUD_FAILURE_SIZE=0.1 for a quick look)
	@"$(VENV)/bin/python" -m pytest -m long tests/failure/longer --numprocesses 3 --dist loadgroup

bench: $(STAMP) ## benchmarks on services of their own; one of them: make bench BENCH=ingestion
	@"$(VENV)/bin/python" -m tests.bench $(BENCH)

check: $(STAMP) ## style and types
	@"$(VENV)/bin/ruff" check .
	"$(VENV)/bin/ruff" format --check .
	"$(VENV)/bin/mypy"

install: $(STAMP) ## only the virtual environment with all packages

venv: install

$(STAMP): pyproject.toml constraints.txt
	@found=
	for candidate in python3.12 python3.13 python3.11 python3; do
		if "$$candidate" -c 'import sys; sys.exit(not (3, 11) <= sys.version_info < (3, 14))' 2>/dev/null; then
			found="$$candidate"
			break
		fi
	done
	if [ -z "$$found" ]; then
		echo "Python 3.11, 3.12 or 3.13 is needed and none is on PATH; install one and run make again." >&2
		exit 1
	fi
	if ! "$$found" -c 'import ensurepip, venv' 2>/dev/null; then
		echo "$$found lacks its venv module; install it (Debian, Ubuntu: the package $$("$$found" -c 'import sys; print("python%d.%d-venv" % sys.version_info[:2])')) and run make again." >&2
		exit 1
	fi
	if ! "$(VENV)/bin/python" -m pip --version >/dev/null 2>&1; then # none, or one that a kill left half made
		echo "creating $(VENV) with $$("$$found" --version)"
		"$$found" -m venv --clear "$(VENV)"
	fi
	echo "installing packages (once; a few minutes on a slow line)"
	started=$$SECONDS
	if ! "$(VENV)/bin/python" -m pip install --disable-pip-version-check --progress-bar off \
		--editable '.[local,dev]' --constraint constraints.txt 2>&1 | tee "$(VENV)/install.log" | awk -v tty="$$(test -t 1 && echo 1)" "$$PROGRESS"; then
		tail -n 5 "$(VENV)/install.log" >&2
		echo "The packages could not be installed; check the network (HTTPS_PROXY) and run make again." >&2
		exit 1
	fi
	echo "installed after $$((SECONDS - started)) s"
	touch "$(STAMP)"

clean: down ## remove what make created: environment, data, caches of tools
	@rm -rf "$(VENV)" .data .mypy_cache .ruff_cache .pytest_cache .hypothesis
	find . -name __pycache__ -prune -exec rm -rf {} +
