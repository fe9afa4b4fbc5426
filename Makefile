# One command per habit. Every target first makes its own environment in $(VENV) with the versions of constraints.txt.
PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
INSTALL := $(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt

.PHONY: demo test check bench bridge-sample format

demo: $(VENV)/.core  ## bundled policies in the bundled world: runs/demo/report.html
	$(BIN)/worldgym demo

test: $(VENV)/.dev  ## everything but tests marked slow
	$(BIN)/python -m pytest

check: $(VENV)/.dev  ## form, faults, types
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy

bench: $(VENV)/.dev  ## one script per published figure
	@set -e; for script in benchmarks/*_speed.py; do echo "== $$script"; $(BIN)/python "$$script"; done

bridge-sample: $(VENV)/.dev  ## a world of real episodes, 20 minutes on two cores; needs the sample data
	$(BIN)/python benchmarks/bridge_sample.py runs/bridge-sample

format: $(VENV)/.dev
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

$(VENV)/.core: pyproject.toml constraints.txt
	@echo "Installing into $(VENV) (the first time takes some minutes)"
	$(PYTHON) -m venv $(VENV)
	$(INSTALL) -e .
	@touch $@

$(VENV)/.dev: pyproject.toml constraints.txt
	@echo "Installing into $(VENV) (the first time takes some minutes)"
	$(PYTHON) -m venv $(VENV)
	$(INSTALL) -e ".[data,dev,gemini,kl,openai,reference,remote]"
	@touch $@ $(VENV)/.core
