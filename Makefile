# A fresh machine needs Python (3.11 or later) and make. Everything else is set up here, in .venv.
PYTHON ?= python3
BIN := .venv/bin

.PHONY: demo test bench lint types fix clean

.venv/.ready: pyproject.toml constraints.txt
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt --editable '.[dev]'
	touch .venv/.ready

demo: .venv/.ready
	$(BIN)/dialer demo

lint: .venv/.ready
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: .venv/.ready
	$(BIN)/mypy

test: lint types
	$(BIN)/python -m pytest

bench: .venv/.ready
	$(BIN)/python -m benchmarks

fix: .venv/.ready
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

clean:
	rm -rf .venv .mypy_cache .ruff_cache .pytest_cache .hypothesis build dist *.egg-info
