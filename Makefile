# Everything a developer types. Needs Python 3.11 or newer, make and pip's registry.

PYTHON ?= python3
BIN := .venv/bin

.DEFAULT_GOAL := help
.PHONY: help demo test check sync bench soak picture clean

help:  ## list these targets
	@awk -F ':.*##  *' '/^[a-z]+:.*##/ { printf "  make %-8s  %s\n", $$1, $$2 }' Makefile

demo: .venv/.stamp  ## see it work, with no Redis needed
	$(BIN)/rmq demo

test: .venv/.stamp  ## run the tests, on every core
	$(BIN)/pytest -n auto -m 'not soak' tests

check: .venv/.stamp  ## everything a change has to pass
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/python .ci/sync.py --check
	@$(MAKE) --no-print-directory test

sync: .venv/.stamp  ## write each sync.py from its aio.py
	$(BIN)/python .ci/sync.py

bench: .venv/.stamp  ## measure, beside the raw-Redis floor
	$(BIN)/python -m benchmarks

soak: .venv/.stamp  ## the tests that take minutes
	$(BIN)/pytest -m soak tests

picture: .venv/.stamp  ## draw the pictures of the docs anew
	$(BIN)/python docs/picture.py
	$(BIN)/python docs/autoscaling.py

clean:  ## forget everything that was made
	rm -rf .venv build dist .hypothesis .import_linter_cache .mypy_cache .pytest_cache .ruff_cache
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

.venv/.stamp: pyproject.toml
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -e '.[dev]'
	@touch $@
