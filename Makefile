# Octavia: everything a developer or operator runs, one target each. `make` alone lists them.

VENV := .venv
READY := $(VENV)/.ready
OCTAVIA := $(VENV)/bin/octavia
PYTEST := $(VENV)/bin/pytest

# Most tests wait for processes and brokers: one more than the two cores they are meant to run on.
TEST_PROCESSES ?= 3

# Services started from here keep their state in the checkout. `make serve worker …` are distributed when
# OCTAVIA_BROKER_URL is set, as `make up` does by itself.
export OCTAVIA_DATA_DIR ?= $(CURDIR)/var/data

.DEFAULT_GOAL := help
.PHONY: help demo test test-long coverage lint format docs serve worker worker-transcribe worker-translate worker-synthesize \
	scheduler rabbitmq up down bench chaos models collected clean

help: ## List the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-18s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

$(READY): pyproject.toml requirements.lock
	@scripts/venv $(VENV)
	@touch $@

demo: $(READY) ## Dub the sample recording into Spanish, with no server; the first run fetches the models
	@scripts/demo

# Types are checked by one processor: the other one fetches models, and compiles tests for the processes that need them.
# The longest first, so that at the end no process is left alone with one of them.
test: $(READY) ## Everything: style, types, the lock, then end-to-end, integration and unit tests
	@$(MAKE) --no-print-directory --jobs 2 --output-sync=line lint models collected
	$(PYTEST) -n $(TEST_PROCESSES) --dist loadfile --no-loadscope-reorder -m "not long" tests/e2e tests/integration tests/unit

test-long: models ## The tests that take minutes; FUZZ_SECONDS=3600 tries parsers for an hour, not five minutes
	@scripts/system-packages long
	$(PYTEST) -m long --timeout 3600 -s tests

coverage: models ## Which lines and branches the tests reach: the figure of docs/contributing.md; half an hour
	@rm -rf var/coverage && mkdir -p var/coverage
	$(VENV)/bin/coverage run -m pytest -n $(TEST_PROCESSES) --dist loadfile --no-loadscope-reorder -m "not long" \
		--timeout 900 tests/e2e tests/integration tests/unit
	@$(VENV)/bin/coverage combine --quiet
	@$(VENV)/bin/coverage report

collected: $(READY)
	@scripts/step var/log/collect.log "Collecting the tests" $(PYTEST) --collect-only --quiet tests

models: $(READY)
	@scripts/system-packages
	@$(OCTAVIA) models pull whisper-tiny.en whisper-small en-es en_US-joe-medium kokoro

lint: $(READY) ## Style, types, and whether the lock holds
	@$(VENV)/bin/ruff check
	@$(VENV)/bin/ruff format --check
	@$(VENV)/bin/mypy
	@$(VENV)/bin/python scripts/lock.py --check

format: $(READY) ## Put the code into the house style
	@$(VENV)/bin/ruff check --fix
	@$(VENV)/bin/ruff format

docs: $(READY) ## Write the tables of settings and metrics, docs/problems.md and migrations/newest.sql anew
	@$(VENV)/bin/python scripts/newest_schema.py
	@$(VENV)/bin/python scripts/settings_table.py
	@$(VENV)/bin/python scripts/metrics_table.py
	@$(VENV)/bin/python scripts/problems_page.py

serve: $(READY) ## The HTTP API; without OCTAVIA_BROKER_URL with its workers, else alone
	@$(OCTAVIA) serve

worker: $(READY) ## Workers for every queue (OCTAVIA_BROKER_URL says of which RabbitMQ)
	@$(OCTAVIA) worker

worker-transcribe: $(READY) ## Workers for speech recognition alone
	@$(OCTAVIA) worker --queues transcribe

worker-translate: $(READY) ## Workers for translation alone
	@$(OCTAVIA) worker --queues translate

worker-synthesize: $(READY) ## Workers for speech synthesis alone
	@$(OCTAVIA) worker --queues synthesize

scheduler: $(READY) ## The periodic work: retention and reports
	@$(OCTAVIA) scheduler

rabbitmq: $(READY) ## A private RabbitMQ in the foreground, with the project's configuration
	@$(VENV)/bin/python -P -m rabbitmq.node --data var/rabbitmq

up: $(READY) ## The whole service in the background: migrations, RabbitMQ, API, workers, scheduler
	@$(OCTAVIA) up

down: $(READY) ## Stop exactly what `make up` started
	@$(OCTAVIA) down

bench: models ## Time, memory, timing and translation: the figures of docs/performance.md and docs/quality.md
	@$(VENV)/bin/python -m benchmarks
	@$(VENV)/bin/python -m benchmarks.early
	@$(VENV)/bin/python -m benchmarks.mending
	@$(VENV)/bin/python -m benchmarks.submit
	@$(VENV)/bin/python -m benchmarks.http
	@$(VENV)/bin/python -m benchmarks.live
	@$(VENV)/bin/python -m benchmarks.timing
	@$(VENV)/bin/python -m benchmarks.protections
	@$(VENV)/bin/python -m benchmarks.metrics
	@$(VENV)/bin/python -m benchmarks.start

chaos: models ## Break a private deployment under real jobs for 8 minutes, and see that nothing is lost
	@$(VENV)/bin/python -m chaos

clean: ## Remove what tests and demos left; models and the environment stay
	rm -rf out .pytest_cache .mypy_cache .ruff_cache .hypothesis
