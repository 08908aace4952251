#!/usr/bin/env bash
# lint.sh: style, types and layering. Runs every check, then fails if one did.
. "$(dirname "$0")/common.sh"

bash .ci/python.sh lint
failed=()

check() {
    say "$*"
    .venv/bin/"$@" </dev/null || failed+=("$1")
}

check ruff check .
check ruff format --check .
check mypy --strict flask_socketio_py
check lint-imports

[ ${#failed[@]} = 0 ] || die "failed: ${failed[*]}"
