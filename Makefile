# The commands of the project; `make` alone lists them. They need Python 3.11+, Java 17+, make and
# git, and install everything else.

SHELL := /bin/sh
.DEFAULT_GOAL := help
MAKEFLAGS += --no-print-directory

BIN := .venv/bin
SYNCED := .venv/.synced

# What `make demo` generates: CUSTOMERS=2000 make demo is a quicker look.
CUSTOMERS ?= 20000
FROM ?= 2024-01-01
TO ?= 2025-12-31
# Further arguments of pytest or of the benchmarks: make test ARGS="-k silver"
ARGS ?=
# Two workers, each with a Spark session; customer360_tests/conftest.py says what runs on which.
PYTEST := $(BIN)/python -m pytest -n 2 --dist loadgroup --no-loadscope-reorder

# The deployment that the commands below work on; `dagster` itself reads DAGSTER_HOME.
CUSTOMER360_HOME ?= data
DAGSTER_FOLDER := $(abspath $(CUSTOMER360_HOME))/dagster
setup demo etl train dev dashboard validate: export CUSTOMER360_HOME := $(CUSTOMER360_HOME)
# The demo is small: compiling for minutes of use would take longer than it saves.
# With that choice Java sets 48 MB aside for compiled code, which a whole run fills; then it interprets.
demo bench-steps: export CUSTOMER360_SPARK_JAVA_OPTIONS := -XX:TieredStopAtLevel=1 -XX:ReservedCodeCacheSize=240m
demo etl train dev validate: export DAGSTER_HOME := $(DAGSTER_FOLDER)

.PHONY: help
help: ## List the commands
	@awk 'BEGIN { FS = ":.*## " } /^[a-z0-9-]+:.*## / { printf "  make %-12s %s\n", $$1, $$2 }' $(firstword $(MAKEFILE_LIST))

.PHONY: preflight
preflight:
	@scripts/preflight.sh

# One install for one state of the lock file: the second `make` downloads and checks nothing.
$(SYNCED): uv.lock | preflight
	@scripts/install.sh
	@touch $@

.PHONY: setup
setup: preflight $(SYNCED) ## Install the locked packages and resolve the Delta jars, once
	@$(BIN)/python -m customer360.lakehouse.jars
	@[ -e $(DAGSTER_FOLDER)/dagster.yaml ] || $(BIN)/python -m customer360.orchestration.instance

.PHONY: demo
demo: setup ## Synthetic customers through the whole lakehouse, and what came out (3-5 minutes)
	@$(BIN)/customer360 generate --customers $(CUSTOMERS) --from $(FROM) --to $(TO)
	@$(BIN)/customer360 run --source synthetic

.PHONY: test
test: setup ## The tests that every change must pass (an hour on two cores); ARGS="-k silver" for some
	@$(PYTEST) $(ARGS)

.PHONY: test-all
test-all: setup ## Every test: also whole data sets, every browser walk, proofs, kills (hours)
	@$(PYTEST) -m "" $(ARGS)

.PHONY: prove
prove: setup ## The proofs alone, for changes of models and of loading: much data, any deliveries (hours)
	@$(BIN)/python -m pytest -m slow $(ARGS)

.PHONY: canaries
canaries: setup ## Plant people, forget them, and seek them in every byte; writes docs/privacy.md
	@CUSTOMER360_WRITE_DOCS=1 $(BIN)/python -m pytest -m slow customer360_tests/privacy/test_canaries.py $(ARGS)

.PHONY: faults
faults: setup ## Break runs in every way, run them again, compare; writes docs/reliability.md (hours)
	@$(BIN)/python -m customer360_tests.faults $(ARGS)

.PHONY: etl
etl: setup ## Bronze to gold over the data that is there, without the models
	@$(BIN)/customer360 run --steps etl

.PHONY: train
train: setup ## Train, validate and score the models on the gold that is there
	@$(BIN)/customer360 run --steps train

.PHONY: dev
dev: setup ## Dagster's UI and daemon on http://localhost:3000, until Ctrl-C
	@$(BIN)/customer360 dev

.PHONY: dashboard
dashboard: setup ## The dashboard on http://localhost:8501, until Ctrl-C
	@$(BIN)/customer360 dashboard

.PHONY: screenshots
screenshots: setup ## The guide's pictures of the lineage and the dashboard, from `make demo`
	@$(BIN)/python scripts/screenshot_lineage.py $(CUSTOMER360_HOME)
	@$(BIN)/python scripts/screenshot_dashboard.py $(CUSTOMER360_HOME)

.PHONY: validate
validate: setup ## Load the Dagster definitions as Dagster would
	@$(BIN)/dagster definitions validate -w workspace.yaml

.PHONY: lint
lint: $(SYNCED) ## Format, lint, types and lock file: check, change nothing
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	scripts/uv lock --check --quiet

.PHONY: audit
audit: $(SYNCED) ## Known vulnerabilities of the packages, and that the lock binds every file of them
	@$(BIN)/python scripts/audit.py

.PHONY: sbom
sbom: $(SYNCED) ## The list of all packages that are installed with ours (CycloneDX), into dist/
	@$(BIN)/python scripts/sbom.py dist/customer360.cdx.json

.PHONY: format
format: $(SYNCED) ## Format, and fix what can be fixed
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

.PHONY: generate
generate: $(SYNCED) ## Write anew what is made of contracts, mappings and tests: four pages, dbt's properties
	@$(BIN)/python -m customer360.contracts.documentation docs/data-model.md
	@$(BIN)/python -m customer360.sources.mapping_docs
	@$(BIN)/python -m customer360.serving.dbt_properties
	@$(BIN)/python -m customer360_tests.bad_input.page
	@$(BIN)/python -m customer360_tests.faults.page

.PHONY: bench
bench: setup ## Measure against DuckDB on the same files; ARGS="--help" for its options
	@$(BIN)/python -m benchmarks $(ARGS)

.PHONY: bench-steps
bench-steps: setup ## What each step of the demo's run asks of Spark: executions, jobs, tasks, seconds
	@$(BIN)/python -m benchmarks.steps --steps all $(ARGS)

.PHONY: bench-scale
bench-scale: setup ## How time, memory, shuffle and files grow from 1 to 50 million transactions (an hour for 10)
	@$(BIN)/python -m benchmarks.scale $(ARGS)

.PHONY: bench-models
bench-models: setup ## Measure lifetime value against lifetimes; ARGS="--customers 1000000"
	@$(BIN)/python -m benchmarks.models $(ARGS)

.PHONY: bench-dashboard
bench-dashboard: setup ## Measure the dashboard's pages over a million customers
	@$(BIN)/python -m benchmarks.dashboard $(ARGS)

.PHONY: clean
clean: ## Remove what tools made; data/ and .venv stay
	rm -rf build dist .mypy_cache .pytest_cache .ruff_cache .hypothesis .coverage htmlcov \
		spark-warehouse metastore_db derby.log .tmp_dagster_home_*
	find customer360 customer360_tests benchmarks -name __pycache__ -type d -prune -exec rm -rf {} + 2>/dev/null || true
