# `make demo` and `make test` work on a fresh clone: each installs what is missing into .venv first.
PYTHON ?= python3
BIN := .venv/bin
BUILT := pyproject.toml setup.py src/warmstart/models/kernels.c

.PHONY: demo test check install dev clean

demo: .venv/.installed
	$(BIN)/warmstart demo

test: .venv/.dev
	$(BIN)/python -m pytest

check: .venv/.dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

install: .venv/.installed
dev: .venv/.dev

.venv/bin/python:
	$(PYTHON) -m venv .venv

.venv/.installed: $(BUILT) | .venv/bin/python
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -e .
	touch $@

.venv/.dev: $(BUILT) | .venv/bin/python
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -e '.[dev]'
	touch .venv/.installed $@

clean:
	rm -rf .venv build dist runs src/warmstart/models/_kernels*.so
