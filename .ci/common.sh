# Sourced by the scripts beside it: messages, stamps, and what the machine must bring. Leaves the shell in the project's root.

set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

say() { printf '==> %s\n' "$*"; }
die() { printf 'error: %s\n' "$*" >&2; exit 1; }
in_ci() { [ "${CI:-}" = true ]; }

has() { # true if one of the commands named exists
    local name
    for name in "$@"; do
        if command -v "$name" >/dev/null 2>&1; then return 0; fi
    done
    return 1
}

# --- Debian packages ---------------------------------------------------------------------------------------------

can_apt() { [ "$(id -u)" = 0 ] && has apt-get; }

apt_install() {
    say "installing with apt-get: $*"
    export DEBIAN_FRONTEND=noninteractive
    # A fresh machine has no package lists; one that has them may hold lists that are too old to fetch by.
    apt-get update -qq </dev/null || say "apt-get update failed; trying with the lists that are here"
    apt-get install -y -qq --no-install-recommends "$@" </dev/null
}

how_to() { # the command that a person types to get Debian packages
    if [ "$(id -u)" = 0 ]; then echo "apt-get install $*"; else echo "sudo apt-get install $*"; fi
}

# --- Python ------------------------------------------------------------------------------------------------------

usable_python() { # new enough, and really there: a version manager puts commands on the PATH that only print an error
    "$1" -c 'import sys; sys.exit(sys.version_info < (3, 10))' </dev/null >/dev/null 2>&1
}

find_python() {
    local candidate
    for candidate in ${PYTHON:-} python3.11 python3; do
        if usable_python "$candidate"; then echo "$candidate"; return; fi
    done
    return 1
}

# --- stamps ------------------------------------------------------------------------------------------------------

# A step that is done leaves a stamp holding a checksum of what it was done from. The folder is part of it: a virtual
# environment or an editable install does not survive being moved.
stamp_of() { { pwd; echo "${@:2}"; cat -- $1; } | cksum; }
is_done() { [ -f ".venv/done-$1" ] && [ "$(cat ".venv/done-$1")" = "$2" ]; }
set_done() { echo "$2" >".venv/done-$1"; }
