# Tocsin's commands; `make` alone lists them. Every target sets up what it needs: a virtual environment with hash-pinned
# packages in .venv, and nothing outside this folder unless python3-venv itself is missing and you are root.
#
#   VENV=folder       another place for the virtual environment
#   PYTHON=python3.12 the interpreter it is made with (default: the newest on PATH)
#   ARGS="-k route"   more arguments for the command the target runs
#   WORKERS=2         test processes side by side (default 3: on two cores, one of them always waits for something)

VENV ?= .venv
WORKERS ?= 3
ARGS ?=
BIN = $(VENV)/bin
PYTEST = $(BIN)/python -m pytest -n $(WORKERS) --dist loadfile --no-loadscope-reorder

.DEFAULT_GOAL := help
.PHONY: help runtime venv demo test lint check bench faults fuzz timelines mutants messages lock upgrade clean

help: ## List these commands
	@echo "make ..."
	@awk -F ': .*## ' '/^[a-z]+: .*## / { printf "  %-9s %s\n", $$1, $$2 }' Makefile

runtime:
	@sh deploy/setup/venv.sh runtime "$(VENV)"

venv: ## Make the virtual environment with everything to develop and test
	@sh deploy/setup/venv.sh dev "$(VENV)"

demo: runtime ## Run Tocsin with a Prometheus of its own, on this machine only
	@prometheus=$$(sh deploy/setup/prometheus.sh .demo/prometheus) && \
	exec $(BIN)/tocsin demo --prometheus "$$prometheus" $(ARGS)

test: venv ## Run all tests; those whose real peer is missing are skipped, loudly
	@$(PYTEST) $(ARGS)

lint: venv ## Check style, formatting, types and the direction of imports
	@$(BIN)/ruff check
	@$(BIN)/ruff format --check
	@$(BIN)/mypy
	@$(BIN)/lint-imports --no-cache --no-logo

check: lint ## Everything a change must pass: lint, and all tests with full coverage of the pure parts
	@$(PYTEST) --cov --cov-report=term-missing:skip-covered --cov-fail-under=100 $(ARGS)

bench: venv ## Measure speed
	@$(BIN)/python -m benchmarks $(ARGS)

faults: venv ## Break three engines and their database 520 times, and write down that nothing was lost
	@$(BIN)/python -m tests.faults $(ARGS)
	@TOCSIN_FULL=1 $(BIN)/python -m pytest -q tests/faults tests/store/test_retention.py

fuzz: venv ## Look for inputs that break the API or a parser; some minutes, other inputs each time
	@$(PYTEST) tests/api/test_fuzz.py tests/api/test_raw_requests.py tests/rules/test_fuzz.py tests/peers/test_rule_timelines_against_promtool.py --hypothesis-profile=fuzz $(ARGS)

timelines: venv ## Look for a random timeline that breaks a promise of who hears what; some forty minutes
	@$(BIN)/python -m pytest tests/timelines/test_machine.py --hypothesis-profile=fuzz $(ARGS)

mutants: venv ## Break what decides who hears what, one break at a time, and name the tests that notice; an hour
	@$(BIN)/python -m tests.mutants $(ARGS)

messages: venv ## Write docs/messages: what each kind of channel is sent, with pictures by Chromium
	@$(BIN)/python -m tests.shown

lock: venv ## Pin what pyproject.toml asks for in requirements/, with hashes
	@sh deploy/setup/lock.sh $(BIN)/python

upgrade: venv ## Pin the newest versions pyproject.toml allows
	@sh deploy/setup/lock.sh $(BIN)/python --upgrade

clean: ## Remove everything made here: environment, demo, caches, builds
	rm -rf .demo build dist .coverage .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
	@if [ -e "$(VENV)/.tocsin-made" ]; then echo rm -rf "$(VENV)"; rm -rf "$(VENV)"; fi
	find . -name __pycache__ -not -path './.*' -type d -prune -exec rm -rf {} +
