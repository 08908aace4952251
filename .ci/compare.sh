#!/usr/bin/env bash
# compare.sh [options]: sets up what is missing and measures us beside Node's socket.io and Flask-SocketIO.
. "$(dirname "$0")/common.sh"

bash .ci/python.sh load
bash .ci/peers.sh || say "going on without Flask-SocketIO"
bash .ci/client.sh tests || say "going on without Node"

exec .venv/bin/python -m loadtests.compare "$@"
