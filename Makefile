# Everything sets itself up: Python 3.11 or newer, make and git are enough.
#
#   make demo      run notebooks/quickstart.ipynb cold, then warm, and compare
#   make survey    run the five long notebooks plain, cold, warm and edited, and write docs/survey.md
#   make check     a few tests, in an environment that is made in a moment
#   make test      lint, types, and all tests
#   make e2e       the cache browser in a real browser: needs Chromium
#   make screenshots   take the pictures in docs/images, of it and of a cell
#   make soak      run SOAK=2000 notebooks at random with the magic and without, and compare
#   make bench     measure all rows with us and with the neighbours, and write docs/performance.md (about an hour)
#   make bench-quick   the same with smaller values and fewer rounds, only printed (a few minutes)
#   make sweep     stop maps of 10,000 items in every way, and of 2,000 on Dask, and go on (half an hour)
#   make comparison    ask us and the neighbours what each can do, and write docs/comparison.md (a few minutes)
#   make torture   kill, damage, fuzz and crowd the caches as often as it takes (half an hour)
#   make rescue    rescue records of old Pythons and packages in environments made for it (needs a network)
#   make docs      the documents as a site in site, strictly: a warning is a failure
#   make dist      build what is published, check it, and try it in an empty environment (needs a network)
#   make lint      ruff, mypy and codespell    make format   let ruff mend what it can
#   make matrix    the tests on each Python, with the oldest and the newest packages, and write docs/compatibility.md
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
.PHONY: help demo survey check test e2e screenshots soak sweep torture bench bench-quick comparison rescue docs dist lint format matrix clean

help:
	@sed -n 's/^#   //p' $(firstword $(MAKEFILE_LIST))

demo: $(VENV)/.demo
	$(BIN)/python -m tools.demo

survey: $(VENV)/.survey
	$(BIN)/python -m tools.survey $(SURVEY_ARGS)

check: $(VENV)/.check
	$(BIN)/python -m pytest -q tests/unit/identity/test_canonical.py
	$(BIN)/python -m pytest -q tests/semantics/test_cells.py -k 'comment or renam'

# In two processes: each takes a half of the tests, and who is done first takes from the other one's. See them one after
# another with PYTEST_ARGS='-n 0'.
test: lint
	$(BIN)/python -m pytest -n 2 --dist worksteal -m 'not e2e' $(PYTEST_ARGS)
	$(BIN)/python -m pytest -m e2e tests/e2e

# In a process of its own: what drives the browser has an event loop, and so have other tests.
e2e: $(VENV)/.test
	$(BIN)/python -m pytest -m e2e tests/e2e

screenshots: $(VENV)/.test
	mkdir -p docs/images
	SCREENSHOTS=$(CURDIR)/docs/images $(BIN)/python -m pytest tests/e2e/test_pictures.py

soak: $(VENV)/.test
	SOAK=$(or $(SOAK),2000) $(BIN)/python -m pytest -m soak tests/semantics/test_differential.py

sweep: $(VENV)/.test
	SWEEP=1 $(BIN)/python -m pytest tests/semantics/test_sweeps.py

bench: $(VENV)-bench/.ready $(VENV)-bench-kishu/.ready
	$(VENV)-bench/bin/python -m benchmarks --page docs/performance.md --json bench-output.json $(BENCH_ARGS)

bench-quick: $(VENV)-bench/.ready $(VENV)-bench-kishu/.ready
	$(VENV)-bench/bin/python -m benchmarks --quick $(BENCH_ARGS)

comparison: $(VENV)-bench/.ready $(VENV)-bench-kishu/.ready
	$(VENV)-bench/bin/python -m benchmarks.comparison --page docs/comparison.md $(COMPARISON_ARGS)
	$(VENV)-bench/bin/python -m tools.excerpt

torture: $(VENV)/.test
	TORTURE=1 $(BIN)/python -m pytest --timeout 3600 tests/faults

rescue: $(VENV)/.test
	RESCUE=1 $(BIN)/python -m pytest -m rescue tests/semantics/test_rescue.py

docs: $(VENV)/.docs
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --strict

dist: $(VENV)/.dist
	$(BIN)/python -m tools.dist

lint: $(VENV)/.test
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/codespell

format: $(VENV)/.test
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

matrix: $(VENV)/.matrix
	$(BIN)/nox $(NOX_ARGS)

clean:
	rm -rf $(VENV) $(VENV)-bench $(VENV)-bench-kishu dist site .nox .mypy_cache .pytest_cache .ruff_cache .hypothesis demo-output survey-output bench-output bench-output.json

$(BIN)/python:
	@test -n "$(PYTHON)$(UV)" || { echo "ipycheckpoint needs Python 3.11 or newer with its venv module: install it, or say make PYTHON=/path/to/python" >&2; exit 1; }
	$(if $(UV),$(UV) venv --quiet --seed $(if $(PYTHON),--python $(PYTHON),--python '>=3.11') $(VENV),$(PYTHON) -m venv $(VENV))

# One stamp for each set of extras: installed again only when pyproject.toml has changed since.
$(VENV)/.%: pyproject.toml | $(BIN)/python
	$(if $(UV),$(UV) pip install --quiet --python $(BIN)/python,$(BIN)/python -m pip install --quiet) --editable '.[$*]'
	@touch $@

# The neighbours, with pinned versions, apart from everything else. Where one can't be installed, the others are, one by
# one, and the table tells which is missing.
$(VENV)-bench/.ready: benchmarks/requirements.txt pyproject.toml
	$(if $(UV),$(UV) venv --quiet --seed --clear $(if $(PYTHON),--python $(PYTHON)) $(VENV)-bench,$(PYTHON) -m venv --clear $(VENV)-bench)
	$(VENV)-bench/bin/python -m pip install --quiet --editable .
	$(VENV)-bench/bin/python -m pip install --quiet -r $< || sed 's/#.*//' $< | xargs -n 1 $(VENV)-bench/bin/python -m pip install --quiet || true
	@touch $@

$(VENV)-bench-kishu/.ready: benchmarks/requirements-kishu.txt
	$(if $(UV),$(UV) venv --quiet --seed --clear $(if $(PYTHON),--python $(PYTHON)) $(VENV)-bench-kishu,$(PYTHON) -m venv --clear $(VENV)-bench-kishu)
	-$(VENV)-bench-kishu/bin/python -m pip install --quiet -r benchmarks/requirements-kishu.txt
	@touch $@
