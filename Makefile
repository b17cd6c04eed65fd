# Two commands do everything: `make demo` and `make test`. They need Python 3.10 or later, nothing else.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check --quiet

.PHONY: help demo test install lint format docs bench clean

help:  ## What can be made
	@grep -E '^[a-z]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 12

demo: $(VENV)/core  ## Install the core and run the main job on the packaged Cranfield collection
	$(BIN)/plackett demo --output plackett-demo

test: $(VENV)/development  ## Install the test extras and run the whole suite
	$(BIN)/python -m pytest -n 2 --cov=plackett --cov-report=term

install: $(VENV)/development  ## Make .venv with the development extras

lint: $(VENV)/development  ## Style and types
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

format: $(VENV)/development  ## Put the code in the house style
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

docs: $(VENV)/development  ## Build the site into site/
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --strict --quiet

bench: $(VENV)/development  ## Run the benchmarks beside their peers (long; benchmarks/README.md)
	$(BIN)/python benchmarks/evaluation.py --setup
	$(BIN)/python benchmarks/lexical.py --setup
	$(BIN)/python benchmarks/ltr_speed.py --setup
	for script in import_time svmlight evaluation lexical cranfield_ltr ltr_speed ltr_trees; do \
	  $(BIN)/python benchmarks/$$script.py || exit 1; done

clean:  ## Remove what was made
	rm -rf $(VENV) site build dist plackett-demo .mypy_cache .ruff_cache .pytest_cache .coverage*
	find . -name __pycache__ -prune -exec rm -rf {} +

$(VENV)/bin/python:
	$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 10) and "plackett needs Python 3.10 or later")'
	$(PYTHON) -m venv $(VENV)
	$(PIP) install --upgrade pip

$(VENV)/core: pyproject.toml constraints.txt | $(VENV)/bin/python
	$(PIP) install --constraint constraints.txt --editable .
	@touch $@

$(VENV)/development: pyproject.toml constraints.txt | $(VENV)/bin/python
	$(PIP) install --constraint constraints.txt --editable '.[dev]'
	@touch $@ $(VENV)/core
