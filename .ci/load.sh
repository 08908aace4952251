#!/usr/bin/env bash
# load.sh [the tour's arguments]: sets up what is missing, runs the tour of the load scenarios, and says where its report is.
. "$(dirname "$0")/common.sh"

bash .ci/python.sh load

say "the load scenarios: two minutes, then the report"
exec .venv/bin/python -m loadtests.tour "$@"
