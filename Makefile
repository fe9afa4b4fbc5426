# One command per habit. Every target first makes its own environment in $(VENV) with the versions of constraints.txt.
PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
INSTALL = $(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt $(TORCH)

# Without an NVIDIA driver PyTorch comes from its index of CPU builds, 0.2 GB instead of 5.8 GB with CUDA. An index named in the
# environment goes first, and one that cannot be reached is left out: pip then takes what it finds.
DRIVER := $(wildcard /proc/driver/nvidia/version /dev/nvidia0)
CPU_BUILDS ?= https://download.pytorch.org/whl/cpu
REACHED = $(shell $(PYTHON) -c "import urllib.request; urllib.request.urlopen('$(CPU_BUILDS)/', timeout=10)" 2>/dev/null && echo yes)
TORCH = $(if $(DRIVER)$(PIP_EXTRA_INDEX_URL)$(PIP_INDEX_URL),,$(if $(REACHED),--extra-index-url $(CPU_BUILDS)))
WITH_CUDA := an NVIDIA driver is here: PyTorch with CUDA, some 6 GB to download
WITHOUT_CUDA := no NVIDIA driver is here: PyTorch for CPUs, some 0.4 GB to download
SIZE = $(if $(DRIVER),$(WITH_CUDA),$(WITHOUT_CUDA))

.PHONY: demo test test-browser test-ray test-kernels test-ppi test-lerobot check bench format release-check bridge-sample docs-numbers

demo: $(VENV)/.core  ## bundled policies in the bundled world: runs/demo/report.html
	$(BIN)/worldgym demo

# Tests compute on one thread each, so a core takes one process.
WORKERS := --numprocesses auto --maxprocesses 4

test: $(VENV)/.dev  ## everything but tests marked slow
	$(BIN)/python -m pytest $(WORKERS)

# The app in Debian's Chromium. axe-core finds what readers with a keyboard, a screen reader or weak eyes cannot use; it is fetched
# here and never part of the repository (MPL 2.0).
AXE := axe-core@4.14.1

test-browser: $(VENV)/.browser .axe/package/axe.min.js  ## pages and flows of the app in a real browser, and their accessibility
	WORLDGYM_AXE=.axe/package/axe.min.js $(BIN)/python -m pytest -q -m browser tests/web

.axe/package/axe.min.js:
	@mkdir -p .axe
	@cd .axe && npm pack --silent $(AXE) >/dev/null && tar -xzf axe-core-*.tgz package/axe.min.js \
	    || echo "axe-core cannot be fetched, so its checks are skipped"

# Workers import what their jobs are made of, the tests among it.
test-ray: $(VENV)/.ray  ## workers on a Ray cluster of three nodes on this machine, which are killed
	PYTHONPATH=$(CURDIR):$(CURDIR)/tests $(BIN)/python -m pytest -q -m "" tests/evaluation/test_ray.py tests/test_cluster_recipes.py \
		tests/train/test_distributed.py::test_tasks_of_a_ray_cluster_train_what_spawned_processes_train

# Rounding differs between processors: the statistics are tested again with the kernels that OpenBLAS would choose on others
# (an old one that every x86-64 has, and that of AMD's and older Intel's), and the worlds with narrower vectors.
KERNELS := $(if $(filter x86_64,$(shell uname -m)),Prescott $(if $(shell grep -lw avx2 /proc/cpuinfo 2>/dev/null),Haswell),ARMV8)

test-kernels: $(VENV)/.dev  ## what computes once more, with other BLAS kernels and narrower vectors
	@set -e; for kernel in $(KERNELS); do echo "== OPENBLAS_CORETYPE=$$kernel"; \
		OPENBLAS_CORETYPE=$$kernel $(BIN)/python -m pytest -q $(WORKERS) tests/stats; done
	ATEN_CPU_CAPABILITY=avx2 ONEDNN_MAX_CPU_ISA=AVX2 $(BIN)/python -m pytest -q $(WORKERS) $(addprefix tests/world/test_,cache.py network.py embodiments.py sampler.py row_threads.py) tests/evaluation/test_rollout.py

test-ppi: $(VENV)-ppi/.done  ## our prediction-powered inference against ppi-python, in an environment of its own
	PYTHONPATH=. $(VENV)-ppi/bin/python -m pytest --noconftest -rP -p no:cacheprovider tests/stats/test_against_ppi_python.py

check: $(VENV)/.dev  ## form, faults, types
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy

bench: $(VENV)/.dev  ## one script per published figure
	@set -e; for script in benchmarks/*_speed.py; do echo "== $$script"; $(BIN)/python "$$script"; done

release-check: $(VENV)/.dev  ## the bundled world on held-out policies and seeds, against the figures of its release: 90 minutes
	$(BIN)/worldgym reference compare-release

bridge-sample: $(VENV)/.dev  ## a world of real episodes, eleven minutes on two cores; needs the sample data
	$(BIN)/python benchmarks/bridge_sample.py runs/bridge-sample

docs-numbers: $(VENV)/.dev  ## numbers in docs/ that follow from the bundled world, from its config
	$(BIN)/python dev/docs_numbers.py

format: $(VENV)/.dev
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

$(VENV)/.core: pyproject.toml constraints.txt
	@echo "Installing into $(VENV), the first time in some minutes; $(SIZE)"
	$(PYTHON) -m venv $(VENV)
	$(INSTALL) -e ".[web]"
	@touch $@

$(VENV)/.dev: pyproject.toml constraints.txt
	@echo "Installing into $(VENV), the first time in some minutes; $(SIZE)"
	$(PYTHON) -m venv $(VENV)
	$(INSTALL) -e ".[data,dev,gemini,gym,kl,openai,openvla,reference,remote,web]"
	@touch $@ $(VENV)/.core

$(VENV)/.browser: $(VENV)/.dev
	$(INSTALL) -e ".[browser]"
	@touch $@

$(VENV)/.ray: $(VENV)/.dev  # 285 MB, so that what needs none does not wait for it
	$(INSTALL) -e ".[ray]"
	@touch $@

# ppi-python brings some 600 MB for one test; neither torch nor the rest of ours is needed beside it.
$(VENV)-ppi/.done:
	$(PYTHON) -m venv $(VENV)-ppi
	$(VENV)-ppi/bin/python -m pip install --quiet --disable-pip-version-check -c constraints.txt numpy scipy pytest ppi-python==0.2.3
	@touch $@

test-lerobot: .venv-lerobot/.done  ## LeRobot policies, in an environment of their own
	.venv-lerobot/bin/python -m pytest -m "" tests/policies/adapters/test_lerobot_policy.py tests/policies/adapters/test_lerobot_real.py

# LeRobot 0.4.4 is the last for Python 3.11. It pins an older torch and asks for much that its policies do not use, so it is
# installed without what it asks for, and the part that ACT and diffusion policies import comes from a list of ours.
.venv-lerobot/.done: pyproject.toml constraints.txt requirements-lerobot.txt
	@echo "Installing into .venv-lerobot (the first time takes some minutes)"
	$(PYTHON) -m venv .venv-lerobot
	.venv-lerobot/bin/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e . hypothesis pytest
	.venv-lerobot/bin/python -m pip install --quiet --disable-pip-version-check --no-deps -r requirements-lerobot.txt
	@touch $@
