#!/usr/bin/env bash
# peers.sh: the virtual environment .venv-peers with Flask-SocketIO, which the tests put into one fleet with our servers.
. "$(dirname "$0")/common.sh"

stamp=$(stamp_of .ci/requirements-peers.txt "$(.venv/bin/python -VV)")
if is_done peers "$stamp" && usable_python .venv-peers/bin/python; then exit 0; fi

say "Flask-SocketIO for the tests of one fleet"
rm -rf .venv-peers
.venv/bin/python -m venv .venv-peers
.venv-peers/bin/python -m pip install --quiet --disable-pip-version-check --no-input \
    --requirement .ci/requirements-peers.txt </dev/null
set_done peers "$stamp"
