# A fresh machine needs Python (3.11 or later) and make. Everything else is set up here, in .venv.
PYTHON ?= python3
BIN := .venv/bin

.PHONY: demo browser test torture simulate mutants fuzz bench lint types fix clean

PIP := $(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt

.venv/.runs: pyproject.toml constraints.txt
	$(PYTHON) -m venv .venv
	$(PIP) --editable .
	touch $@

.venv/.ready: .venv/.runs
	$(PIP) --editable '.[dev,bench]'
	touch $@

demo: .venv/.runs
	$(BIN)/dialer demo

lint: .venv/.ready
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: .venv/.ready
	$(BIN)/mypy

# The page is tested in a real browser: one of this machine, or installed with its own means, or the tests are skipped.
browser:
	@sh tests/support/get_browser.sh

test: lint types browser
	$(BIN)/python -m pytest -n 3 --dist worksteal

# Minutes, not seconds: a thousand kills for each policy; a million simulated campaigns; seven ways to break the promise.
torture: .venv/.ready
	$(BIN)/python -m tests.torture --kills 1000

simulate: .venv/.ready
	$(BIN)/python -m tests.simulation --seeds 1000000

mutants: .venv/.ready
	$(BIN)/python -m tests.mutants

# An hour: damaged lists, and 100,000 numbers of all regions against phonenumbers.
fuzz: .venv/.ready
	$(BIN)/python -W error -m tests.fuzz --lists 120000 --files 60000

bench: .venv/.ready
	$(BIN)/python -m benchmarks

fix: .venv/.ready
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

clean:
	rm -rf .venv .mypy_cache .ruff_cache .pytest_cache .hypothesis build dist *.egg-info
