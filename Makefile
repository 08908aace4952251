# make demo   serves the chat example on http://127.0.0.1:5000
# make test   runs the tests; ARGS="-k name -x" goes to pytest
# make lint   style, types, layering
# make compare   measures us beside Node and Flask-SocketIO; ARGS="--only echo32,fanout" goes to loadtests.compare
# make bench  micro benchmarks against the baseline; ARGS="codec --against main" goes to loadtests/bench.py
# make load   two minutes of load scenarios, and a report with plots to open: loadtests/report/index.html
#
# Each sets up what it needs, once. The steps are small scripts in .ci/, the same that CI runs.

SHELL := /bin/bash
.DEFAULT_GOAL := help
.PHONY: help demo test lint format compare bench load clean

help:
	@sed -n 's/^# \(make .*\)/\1/p' Makefile

demo:
	@exec bash .ci/demo.sh

test:
	@exec bash .ci/test.sh $(ARGS)

lint:
	@exec bash .ci/lint.sh

bench:
	@exec bash .ci/bench.sh $(ARGS)

load:
	@exec bash .ci/load.sh $(ARGS)

format:
	@bash .ci/python.sh lint
	@.venv/bin/ruff check --fix .
	@.venv/bin/ruff format .

compare:
	@exec bash .ci/compare.sh $(ARGS)

clean:
	rm -rf .venv build loadtests/report flask_socketio_py/client tests/node_modules *.egg-info
