# Everything on a fresh machine with Python 3.11 or newer: `make demo` to see it, `make test` to check it.
PYTHON ?= python3
BIN := .venv/bin
# Where bytecode is not kept, each of the many processes that demo and tests start would compile its libraries anew.
unexport PYTHONDONTWRITEBYTECODE

.PHONY: demo up test test-demo test-faults fuzz test-sdks test-random test-peers bench lint kernel lock clean

demo: .venv/ready
	$(BIN)/onepath demo $(ARGS)

up: .venv/ready
	$(BIN)/onepath up $(ARGS)

# The compiled part of One-ID is made while the types are checked: the first of many processes would else make it again each.
test: .venv/ready
	@$(MAKE) --no-print-directory --jobs=2 --output-sync=target lint kernel
	$(BIN)/pytest $(ARGS)

# 200 x kill -9 under load and 200 damaged logs, then disk, connections and clock; the seed is printed. ARGS="--kills 20 --seed 7"
test-faults: .venv/ready
	$(BIN)/pytest -m 'slow or not slow' -n 0 tests/test_fault_disk.py tests/test_fault_connections.py tests/test_fault_clock.py
	$(BIN)/python -m tests.fault_sweep $(ARGS)

# The demo twice, on two folders: the same numbers.
test-demo: .venv/ready
	$(BIN)/pytest -m 'slow or not slow' tests/test_demo.py $(ARGS)

# 100,000 mutations of recorded requests over every endpoint. ARGS="--requests 5000 --seed 7", or "--seed 7 --only 42" for one of them
fuzz: .venv/ready
	$(BIN)/python -m tests.fuzz_run $(ARGS)

# Beside peers and limits, medians and ratios: all of them, or ARGS="collecting" by name. Needs wrk (apt install wrk).
bench: .venv/ready
	$(BIN)/python -m bench $(ARGS)

# The clients of Node, browsers and mini programs, unmodified, against a real collector; the Python ones run with `make test`.
test-sdks: .venv/ready tests/sdks/node_modules/.ready
	$(BIN)/pytest -m 'sdks or not slow' -n 0 tests/test_sdks_python.py tests/test_sdks_node.py tests/test_sdks_browser.py \
		tests/test_sdks_refusals.py $(ARGS)

tests/sdks/node_modules/.ready: tests/sdks/package-lock.json tests/sdks/package.json
	cd tests/sdks && npm ci --ignore-scripts
	@touch $@

# All that is random: the questions beside their oracles and each other, One-ID and loading in any order, over 20 times as many
# streams; then the cases of other engines. EXAMPLES=100 for more, SEED=7 to repeat a run, ARGS=tests/test_agreement.py for a part.
SEED ?= $(shell date +%s)
EXAMPLES ?= 20
RANDOM_TESTS := tests/test_models_*.py tests/test_agreement*.py tests/test_one_id_*.py tests/test_warehouse_*streams.py \
	tests/test_warehouse_replay.py tests/test_warehouse_property_history.py tests/test_forgetting_streams.py
test-random: .venv/ready
	@echo "seed $(SEED)"
	ONEPATH_TEST_EXAMPLES=$(EXAMPLES) $(BIN)/pytest --hypothesis-seed=$(SEED) $(or $(ARGS),$(RANDOM_TESTS))
	$(BIN)/python -m tests.conformance

# The sequence functions beside ClickHouse's own, in process (500 MB, installed for this only). ONEPATH_PEERS_SEED=7 repeats a run.
test-peers: .venv/ready
	$(BIN)/uv pip install --quiet --python $(BIN)/python --group peers
	$(BIN)/pytest -m 'peers or not slow' -n 0 -s tests/test_peers_clickhouse.py $(ARGS)

lint: .venv/ready
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

kernel: .venv/ready
	@$(BIN)/python -m tests.kernel

# requirements.lock names versions and hashes but no registry, so it installs from any mirror.
lock: .venv/ready
	$(BIN)/uv pip compile pyproject.toml --all-extras --group dev --universal --python-version 3.11 --generate-hashes \
		--no-emit-index-url --no-emit-find-links --no-annotate --custom-compile-command "make lock" --upgrade -o requirements.lock

clean:
	rm -rf .venv demo-data demo-data-* onepath-data

.venv/ready: requirements.lock pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(None if sys.version_info >= (3, 11) else "Onepath needs Python 3.11 or newer; name one, as in: make demo PYTHON=python3.11")'
	@echo "Setting up .venv (once) ..."
	@$(PYTHON) -m venv .venv
	@$(BIN)/pip install --quiet --disable-pip-version-check uv==0.13.9
	@$(BIN)/uv pip install --quiet --python $(BIN)/python --require-hashes -r requirements.lock
	@$(BIN)/uv pip install --quiet --python $(BIN)/python --no-deps --no-build-isolation -e .
	@touch .venv/ready
