# Everything sets itself up: Python 3.11 or newer, make and git are enough.
#
#   make demo      run notebooks/quickstart.ipynb cold, then warm, and compare
#   make survey    run the five long notebooks plain, cold, warm and edited, and write docs/survey.md
#   make test      lint, types, and all tests
#   make soak      run SOAK=2000 notebooks at random with the magic and without, and compare
#   make lint      ruff and mypy only        make format   let ruff mend what it can
#   make matrix    the tests on every supported Python and IPython that is installed
#   make clean     remove all that these commands have made

SHELL := /bin/bash
VENV  ?= .venv
BIN   := $(VENV)/bin
UV    := $(shell command -v uv 2>/dev/null)

# The first one that runs and can make an environment: a name on the PATH may be no more than a pyenv shim.
PYTHON ?= $(shell for python in python3.13 python3.12 python3.11 python3 python $(HOME)/.pyenv/versions/3.1[1-9]*/bin/python; do \
	"$$python" -c 'import sys, venv, ensurepip; sys.exit(sys.version_info < (3, 11))' >/dev/null 2>&1 && echo "$$python" && break; done)

export PIP_DISABLE_PIP_VERSION_CHECK := 1

.DEFAULT_GOAL := help
.PHONY: help demo survey test soak lint format matrix clean

help:
	@sed -n 's/^#   //p' $(firstword $(MAKEFILE_LIST))

demo: $(VENV)/.demo
	$(BIN)/python -m tools.demo

survey: $(VENV)/.survey
	$(BIN)/python -m tools.survey $(SURVEY_ARGS)

test: lint
	$(BIN)/python -m pytest $(PYTEST_ARGS)

soak: $(VENV)/.test
	SOAK=$(or $(SOAK),2000) $(BIN)/python -m pytest -m soak tests/semantics/test_differential.py

lint: $(VENV)/.test
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

format: $(VENV)/.test
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

matrix: $(VENV)/.matrix
	$(BIN)/nox $(NOX_ARGS)

clean:
	rm -rf $(VENV) .nox .mypy_cache .pytest_cache .ruff_cache .hypothesis demo-output survey-output

$(BIN)/python:
	@test -n "$(PYTHON)$(UV)" || { echo "ipycheckpoint needs Python 3.11 or newer with its venv module: install it, or say make PYTHON=/path/to/python" >&2; exit 1; }
	$(if $(UV),$(UV) venv --quiet --seed $(if $(PYTHON),--python $(PYTHON),--python '>=3.11') $(VENV),$(PYTHON) -m venv $(VENV))

# One stamp for each set of extras: installed again only when pyproject.toml has changed since.
$(VENV)/.%: pyproject.toml | $(BIN)/python
	$(if $(UV),$(UV) pip install --quiet --python $(BIN)/python,$(BIN)/python -m pip install --quiet) --editable '.[$*]'
	@touch $@
