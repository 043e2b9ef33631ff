# SPDX-License-Identifier: GPL-3.0-or-later
# Everything is installed into .venv/ first, from requirements/, with the newest suitable Python that there is.
PYTHON ?= python3
GATES := lint types layers repository unit libraries contract integration end_to_end docs build awx sanity

.PHONY: help test quick demo lab attack bench release environments lock format clean $(GATES)

help: ## Show this list
	@awk -F ':.*## ' '/^[a-z$$()A-Z ]+:.*## / {printf "  make %-14s %s\n", $$1, $$2}' $(MAKEFILE_LIST)
	@echo "  make GATE           One part of make test: $(GATES)"
	@echo "                      with ARGS=... for pytest: make unit ARGS='-k version -x'"

test: ## Run every gate: linters, tests, documentation, build, ansible-test sanity
	@$(PYTHON) tests/gates/run.py

quick: ## Run the inner loop, in two minutes: linters, types, layers, unit tests, and the integration tests that are not slow
	@$(PYTHON) tests/gates/run.py quick $(ARGS)

demo: environments ## Start the lab's manager, converge a fleet, and show that a second run changes nothing
	@.venv/main/bin/python -m tests.demo

lab: environments ## Start the lab's manager, with 200 computers whose agents live, to try playbooks on until Ctrl-C
	@.venv/main/bin/python -m tests.lab.manager --computers 200 --policies 20 --living --time-factor 60 --exports

attack: environments ## Try 1000 sequences of documents, faults, kills and colleagues, others each time; or SEQUENCES=...
	@ATTACK_SEQUENCES=$(or $(SEQUENCES),1000) .venv/main/bin/python -m pytest tests/integration/test_attack.py $(ARGS)

bench: environments ## Measure the collection against what people use instead, in half an hour; or BENCH=quick
	@.venv/main/bin/python -m tests.bench $(BENCH) $(ARGS)

release: environments ## Commit, tag, build, sign and try a release, and publish nothing: VERSION=1.2.3 KEY=FINGERPRINT
	@$(PYTHON) tests/gates/environments.py main tools
	@.venv/tools/bin/python -m tests.release "$(VERSION)" "$(KEY)"

environments:
	@$(PYTHON) tests/gates/environments.py main

$(GATES):
	@$(PYTHON) tests/gates/run.py $@ $(ARGS)

lock: ## Lock the packages of requirements/*.in, or take newer ones: ARGS=--upgrade, ARGS='--upgrade-package NAME'
	@$(PYTHON) tests/gates/environments.py tools
	@.venv/tools/bin/python -m tests.gates.lock $(ARGS)

format: ## Set the layout of the code and the order of imports as make lint wants them
	@$(PYTHON) tests/gates/environments.py tools
	@.venv/tools/bin/ruff check --quiet --fix-only .
	@.venv/tools/bin/ruff format --quiet .

clean: ## Remove everything that these commands made
	rm -rf .venv .cache .ansible .hypothesis .mypy_cache .pytest_cache .ruff_cache
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
