#!/usr/bin/env bash
# smoke.sh: installs the wheel into every other interpreter of this machine and lets tests/smoke.py talk to a server there.
. "$(dirname "$0")/common.sh"

bash .ci/python.sh runtime
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

say "building the wheel"
rm -rf build
.venv/bin/python -m pip wheel --quiet --disable-pip-version-check --no-deps --no-build-isolation --wheel-dir "$work" . </dev/null
rm -rf build
cp tests/smoke.py "$work"

interpreter() { # the newest interpreter of a version, from the PATH or from pyenv
    local candidate found=
    for candidate in "${PYENV_ROOT:-$HOME/.pyenv}/versions/$1".*/bin/python "python$1"; do
        if usable_python "$candidate" && "$candidate" -c 'import ensurepip, venv' >/dev/null 2>&1; then found=$candidate; fi
    done
    echo "$found"
}

own=$(.venv/bin/python -c 'import sys; print("%d.%d" % sys.version_info[:2])')
passed=() failed=()
for version in 3.10 3.11 3.12 3.13 3.14; do
    if [ "$version" = "$own" ]; then continue; fi
    python=$(interpreter "$version")
    if [ -z "$python" ]; then continue; fi
    say "smoke test on $("$python" -V)"
    if "$python" -m venv "$work/$version" &&
        "$work/$version/bin/python" -m pip install --quiet --disable-pip-version-check --no-input \
            --constraint .ci/requirements-runtime.txt "$work"/flask_socketio_py-*.whl </dev/null &&
        (cd "$work" && "$work/$version/bin/python" smoke.py </dev/null); then
        passed+=("$version")
    else
        failed+=("$version")
    fi
done

say "smoke test: passed on ${passed[*]:-no other interpreter}"
[ ${#failed[@]} = 0 ] || die "smoke test failed on ${failed[*]}"
