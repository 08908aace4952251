#!/usr/bin/env bash
# client.sh: the official JavaScript client, for the server to serve. 'client.sh tests' also gets what the tests run in Node.
. "$(dirname "$0")/common.sh"

if ! has npm || ! has node; then
    if can_apt; then
        apt_install nodejs npm
    elif in_ci; then
        die "node and npm are missing"
    else
        say "npm is missing, so the JavaScript client can't be fetched. Try: $(how_to nodejs npm)"
        exit 1
    fi
fi

stamp=$(stamp_of flask_socketio_py/client_install.py)
if ! is_done client "$stamp" || [ ! -f flask_socketio_py/client/version ]; then
    say "JavaScript client for the server"
    .venv/bin/python -m flask_socketio_py install-client </dev/null
    set_done client "$stamp"
fi

if [ "${1:-}" = tests ]; then
    stamp=$(stamp_of "tests/package.json tests/package-lock.json")
    if ! is_done node-modules "$stamp" || [ ! -d tests/node_modules ]; then
        say "npm packages for the tests"
        (cd tests && npm ci --no-audit --no-fund </dev/null)
        set_done node-modules "$stamp"
    fi
fi
