# `make demo` and `make test` work on a fresh clone: each installs what is missing into .venv first.
PYTHON ?= python3
BIN := .venv/bin
BUILT := pyproject.toml setup.py src/warmstart/models/kernels.c

# Another processor: plain vector code in torch, AVX2 in oneDNN, MKL's code for any x86 processor, two threads.
OTHER := ATEN_CPU_CAPABILITY=default ONEDNN_MAX_CPU_ISA=AVX2 MKL_CBWR=COMPATIBLE OMP_NUM_THREADS=2 GOMP_SPINCOUNT=5000

.PHONY: demo test check check-portable install dev clean

demo: .venv/.installed
	$(BIN)/warmstart demo

test: .venv/.dev
	$(BIN)/python -m pytest

check: .venv/.dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

# The tests as they would run on a processor that computes differently (docs/train.md).
check-portable: .venv/.dev
	$(OTHER) $(BIN)/python -m pytest

install: .venv/.installed
dev: .venv/.dev

.venv/bin/python:
	$(PYTHON) -m venv .venv

.venv/.installed: $(BUILT) | .venv/bin/python
	$(BIN)/python -m pip install --quiet --no-compile --disable-pip-version-check -e .
	touch $@

.venv/.dev: $(BUILT) | .venv/bin/python
	$(BIN)/python -m pip install --quiet --no-compile --disable-pip-version-check -e '.[dev]'
	touch .venv/.installed $@

clean:
	rm -rf .venv build dist runs src/warmstart/models/_kernels*.so
