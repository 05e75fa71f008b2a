# Every target sets up its own virtual environment first; that is instant once it is there.
SHELL := /bin/sh
VENV ?= .venv
export VENV
LANES ?= 2
SEED ?= 1
PYTEST := $(VENV)/bin/python -m pytest -n 2

.DEFAULT_GOAL := help
.PHONY: help setup demo test test-long faults lint bench lock audit sbom clean

help: ## show this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-10s %s\n", $$1, $$2}' Makefile

setup: ## make the virtual environment
	@tools/setup.sh

demo: setup ## watch an import circulate through its offices
	@$(VENV)/bin/gardesh demo

test: setup ## run the tests on SQLite, then those that use a store on PostgreSQL
	$(PYTEST)
	$(PYTEST) --store=postgresql

test-long: setup ## run all tests, with the long ones and many more examples
	$(PYTEST) --long
	$(PYTEST) --long --store=postgresql tests/faults

faults: setup ## a thousand runs in which something breaks, on both stores, and a table of what was lost (LANES=2, SEED=1)
	@$(VENV)/bin/python tests/faults --lanes $(LANES) --seed $(SEED)

lint: setup ## check style, types, import contracts and the docs
	$(VENV)/bin/ruff check .
	$(VENV)/bin/ruff format --check .
	$(VENV)/bin/mypy
	$(VENV)/bin/mypy tools bench
	$(VENV)/bin/lint-imports
	$(VENV)/bin/python tools/check_docs.py

bench: setup ## measure this machine's roofline, ours beside it, and peers
	@$(VENV)/bin/python -m bench

lock: setup ## resolve the dependencies anew (make lock UPGRADE=--upgrade for the newest)
	@tools/lock.sh $(UPGRADE)

audit: setup ## ask which locked packages have known vulnerabilities (needs the network)
	@$(VENV)/bin/python tools/audit.py

sbom: setup ## write dist/gardesh.cdx.json: what an installed Gardesh is made of (CycloneDX)
	@tools/sbom.sh

clean: ## remove the virtual environment and all caches
	rm -rf $(VENV) build dist .pytest_cache .mypy_cache .ruff_cache .hypothesis .import_linter_cache
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
