# make demo   the whole pipeline on this machine, no key and no GPU        make test      quick tests, offline
# make dev    Dagster UI, daemon and review app; Ctrl-C stops all          make test-all  slow, browser, postgres and realdata tests too
# make lint   ruff, mypy, import-linter, sizes, schema                     make bench     the benchmarks, short versions
# make coverage-review   branches of queue, leases, gate and audit that the review tests run; fails below 98 %

PYTHON ?= python3.11
VENV ?= .venv
BIN := $(VENV)/bin
PIP := $(BIN)/pip install --quiet --disable-pip-version-check --no-compile
# Byte code on all cores, where pip would use one; a module for another version of Python than ours may fail, and is not needed.
COMPILE := $(BIN)/python -m compileall -qq -j 0 -x '/tests?/' $(VENV)/lib pipelines assets curation training evaluation || true
TORCH := torch==2.13.0
PACKAGES := pipelines assets curation training evaluation

.PHONY: demo dev test test-all coverage-review lint format bench lock
.DEFAULT_GOAL := test

# Where pip finds a CPU build of torch under this version it takes that one; set TORCH_INDEX to choose another source.
$(VENV)/runtime: requirements.lock pyproject.toml
	@echo "installing into $(VENV) (about two minutes)"
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	@$(PIP) $(if $(TORCH_INDEX),--index-url $(TORCH_INDEX)) $(TORCH)
	@$(PIP) --no-deps --progress-bar off -r requirements.lock
	@$(PIP) --no-deps --editable .
	@$(COMPILE)
	@touch $@

$(VENV)/dev: requirements-dev.lock $(VENV)/runtime
	@echo "installing what the tests need"
	@$(PIP) --no-deps --progress-bar off -r requirements-dev.lock
	@$(COMPILE)
	@touch $@

demo: $(VENV)/runtime
	@$(BIN)/tunewright demo

dev: $(VENV)/runtime
	@exec $(BIN)/tunewright dev

test: $(VENV)/dev
	@$(BIN)/python -m pytest --quiet -n 2 --dist loadfile

test-all: $(VENV)/dev
	@$(BIN)/python -m pytest --quiet -n 2 --dist loadfile
	@$(BIN)/python -m pytest --quiet -n 2 --dist loadfile -m "slow or browser or postgres or realdata"

# The modules of tests/curation/review/coverage.ini, by the tests beside it, slow and PostgreSQL ones too.
coverage-review: $(VENV)/dev
	@$(BIN)/python -m pytest --quiet -n 2 --dist loadfile -m "not browser and not gpu and not realdata" tests/curation/review \
		--cov=curation/review --cov-branch --cov-config=tests/curation/review/coverage.ini \
		--cov-report=term-missing:skip-covered --cov-fail-under=98

lint: $(VENV)/dev
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/mypy
	@$(BIN)/lint-imports

format: $(VENV)/dev
	@$(BIN)/ruff check --fix --quiet .
	@$(BIN)/ruff format --quiet .

bench: $(VENV)/dev
	@$(BIN)/python -m benchmarks.foundation --quick
	@$(BIN)/python -m benchmarks.near_duplicates --quick
	@$(BIN)/python -m benchmarks.contamination --quick
	@$(BIN)/python -m benchmarks.pii --quick
	@$(BIN)/python -m benchmarks.teacher --quick --no-rivals
	@$(BIN)/python -m benchmarks.faults --quick
	@$(BIN)/python -m benchmarks.budget --quick
	@$(BIN)/python -m benchmarks.ledger_kills --quick
	@$(BIN)/python -m benchmarks.lineage --quick
	@$(BIN)/python -m benchmarks.preferences --quick
	@$(BIN)/python -m benchmarks.parity_lm_eval --quick
	@$(BIN)/python -m benchmarks.forgetting --quick
	@test -z "$$REALDATA_DIR" || $(BIN)/python -m benchmarks.curation_run --quick
	@test -z "$$REALDATA_DIR" || $(BIN)/python -m benchmarks.raft --quick
	@$(BIN)/python -m benchmarks.gate --quick
	@$(BIN)/python -m benchmarks.bypasses
	@$(BIN)/python -m benchmarks.promotion_kills --quick
	@$(BIN)/python -m benchmarks.judge_bias --quick
	@test -z "$$REALDATA_DIR" || $(BIN)/python -m benchmarks.judge
	@test -z "$$REALDATA_DIR" || $(BIN)/python -m benchmarks.judge_recorded

# After a change of versions in pyproject.toml: resolve anew in a fresh environment and write both locks.
lock:
	@bash .ci/lock
