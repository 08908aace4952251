#!/usr/bin/env bash
# bench.sh [bench.py's arguments]: the micro benchmarks against the recorded baseline; fails if one is slower by more than 10 %.
. "$(dirname "$0")/common.sh"

bash .ci/python.sh load
exec .venv/bin/python loadtests/bench.py "$@"
