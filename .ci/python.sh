#!/usr/bin/env bash
# python.sh runtime|test|load|lint: the virtual environment .venv with the pinned packages of that group and our package, editable.
. "$(dirname "$0")/common.sh"
group=$1

if ! python=$(find_python); then
    can_apt || die "Python 3.10 or newer is needed. Try: $(how_to python3 python3-venv)"
    apt_install python3 python3-venv
    python=$(find_python) || die "the Python of this Debian is too old: 3.10 or newer is needed (set PYTHON=/path/to/python)"
fi

inputs=$(echo .ci/requirements-*.txt setup.cfg setup.py pyproject.toml)
stamp=$(stamp_of "$inputs" "$("$python" -VV)")
if is_done "$group" "$stamp" && usable_python .venv/bin/python; then exit 0; fi

if [ ! -f .venv/pyvenv.cfg ] || ! is_done venv "$(stamp_of /dev/null "$("$python" -VV)")"; then
    if ! "$python" -c 'import ensurepip, venv' >/dev/null 2>&1; then
        can_apt || die "$python can make no virtual environments. Try: $(how_to python3-venv)"
        apt_install python3-venv
    fi
    say "virtual environment .venv with $("$python" -V)"
    rm -rf .venv
    "$python" -m venv .venv
    set_done venv "$(stamp_of /dev/null "$("$python" -VV)")"
fi

pip() { .venv/bin/python -m pip --disable-pip-version-check --no-input "$@" </dev/null; }

say "Python packages: $group (a minute, the first time)"
pip install --quiet --requirement ".ci/requirements-$group.txt"
pip install --quiet --no-deps --no-build-isolation --editable .
pip check
# Each group contains those before it.
for done in runtime test load lint; do
    set_done "$done" "$stamp"
    if [ "$done" = "$group" ]; then break; fi
done
