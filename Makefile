# Bare `make` lists the words. PYTHON names the interpreter to make the environments with:
# make test PYTHON=python3.13
# BUSY=--busy lets bench and load measure on a machine that has other work to do.

PYTHON ?= python3
# Of the tests; with 0 they run in the one that looks after them.
PROCESSES ?= 2
export PIP_DISABLE_PIP_VERSION_CHECK := 1

VENV := .venv
TEST_VENV := .venv-test
BIN := $(VENV)/bin
TEST_BIN := $(TEST_VENV)/bin
READY := $(VENV)/.ready
TEST_READY := $(TEST_VENV)/.ready

.DEFAULT_GOAL := help

.PHONY: help
help: ## List these words
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-10s %s\n", $$1, $$2 }' Makefile

.PHONY: demo
demo: $(READY) ## Install, and restore the sample photograph
	@mkdir -p demo
	@$(BIN)/hyperfocal upscale examples/astronaut.jpg -o demo/astronaut.png --overwrite $(DEMO_OPTIONS)
	@echo "The result is demo/astronaut.png, made from examples/astronaut.jpg. Against the original:"
	@$(BIN)/hyperfocal compare demo/astronaut.png examples/astronaut-original.webp --shave 2

.PHONY: test
test: lint types contracts tests ## Install with test extras; lint, types, contracts, tests

.PHONY: lint
lint: $(TEST_READY) ## Style and formatting
	$(TEST_BIN)/ruff check .
	$(TEST_BIN)/ruff format --check .

.PHONY: types
types: $(TEST_READY) ## Static types
	$(TEST_BIN)/mypy

.PHONY: contracts
contracts: $(TEST_READY) ## Who may import whom
	$(TEST_BIN)/lint-imports

.PHONY: tests
tests: $(TEST_READY) ## The tests alone, the README's and the staleness of docs included
	$(TEST_BIN)/pytest -n $(PROCESSES) --dist loadgroup

.PHONY: format
format: $(TEST_READY) ## Repair style and formatting
	$(TEST_BIN)/ruff check --fix .
	$(TEST_BIN)/ruff format .

.PHONY: docs
docs: $(TEST_READY) ## Write the generated pages again
	$(TEST_BIN)/python tools/generate_docs.py
	$(TEST_BIN)/python tests/imaging/formats_page.py

.PHONY: figures
figures: $(READY) $(TEST_READY) ## Make the pictures of the README and of docs/models.md
	$(BIN)/python tools/before_after.py
	$(BIN)/python tools/model_pictures.py
	$(TEST_BIN)/python tools/curve_pictures.py

.PHONY: screens
screens: $(TEST_READY) ## Make the pictures of the page; needs a Chromium
	$(TEST_BIN)/python tools/page_pictures.py

.PHONY: bench
bench: $(READY) $(TEST_READY) ## Measure speed and memory of the trained models, into benchmarks/
	$(TEST_BIN)/python tools/bench.py --program $(BIN)/hyperfocal $(BUSY)

.PHONY: load
load: $(TEST_READY) ## Measure the service under load, for docs/measuring.md
	$(TEST_BIN)/python benchmarks/load.py $(BUSY)
	$(TEST_BIN)/python tools/generate_docs.py

.PHONY: wheel
wheel: $(READY) ## Build the wheel into dist/
	$(BIN)/pip wheel --quiet --no-deps --wheel-dir dist .

.PHONY: clean
clean: ## Remove the environments and everything made
	rm -rf $(VENV) $(TEST_VENV) demo dist build

$(READY): pyproject.toml
	$(PYTHON) -m venv $(VENV)
	$(BIN)/pip install --quiet --editable .
	@touch $@

# torch alone and first, so that nothing after it looks for another build of it.
$(TEST_READY): pyproject.toml requirements/torch-cpu.txt requirements/tools.txt
	$(PYTHON) -m venv $(TEST_VENV)
	$(TEST_BIN)/pip install --quiet --no-deps --requirement requirements/torch-cpu.txt
	$(TEST_BIN)/pip install --quiet --constraint requirements/tools.txt --editable '.[test,train]'
	@touch $@
