#!/usr/bin/env bash
# demo.sh: sets up what is missing and serves the chat example. HOST and PORT may be given in the environment.
. "$(dirname "$0")/common.sh"
host=${HOST:-127.0.0.1}
port=${PORT:-5000}

bash .ci/python.sh runtime
bash .ci/client.sh || die "the chat page needs the JavaScript client"

say "chat on http://$host:$port (Ctrl-C ends it)"
cd examples/chat
exec ../../.venv/bin/python -m flask_socketio_py run app:app --host "$host" --port "$port"
