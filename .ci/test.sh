#!/usr/bin/env bash
# test.sh [pytest's arguments]: sets up what is missing and runs the tests.
. "$(dirname "$0")/common.sh"

bash .ci/python.sh test
bash .ci/python.sh load || { in_ci && exit 1; say "going on without the tests of the load tests"; }
bash .ci/tools.sh
bash .ci/peers.sh || { in_ci && exit 1; say "going on without the tests that need Flask-SocketIO"; }
bash .ci/client.sh tests || { in_ci && exit 1; say "going on without the tests that need the JavaScript client"; }

if [ $# = 0 ]; then set -- tests; fi
exec .venv/bin/python -m pytest "$@"
