#!/usr/bin/env bash
# test.sh [pytest's arguments]: sets up what is missing and runs the tests.
. "$(dirname "$0")/common.sh"

bash .ci/python.sh test
bash .ci/python.sh load || { in_ci && exit 1; say "going on without the tests of the load tests"; }
bash .ci/tools.sh
bash .ci/peers.sh || { in_ci && exit 1; say "going on without the tests that need Flask-SocketIO"; }
bash .ci/client.sh tests || { in_ci && exit 1; say "going on without the tests that need the JavaScript client"; }

# Most tests wait more than they compute, so more of them run at once than there are cores.
if [ $# = 0 ]; then set -- tests -n 4 --dist loadfile; fi
exec .venv/bin/python -m pytest "$@"
