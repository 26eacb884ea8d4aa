#!/bin/bash
# Chromium as a program, for the tests of what people see and for the pictures of the README. No browser is downloaded.
#
#   chromium.sh install   install Debian's package (root)
#   chromium.sh find      say where it is
#
# Exit codes: 0 done, 2 usage, 3 Chromium is not installed. CHROMIUM_DIR is where to look before the PATH.
set -euo pipefail
HERE=$(dirname "$(realpath "$0")")

find_program() {
    PATH="${CHROMIUM_DIR:+$CHROMIUM_DIR:}$PATH" command -v chromium || return 3
}

[ $# = 1 ] || set -- usage
case $1 in
install) find_program >/dev/null || "$HERE/debian_packages.sh" chromium ;;
find)
    find_program || {
        echo "chromium.sh: Chromium is not installed; run: $0 install" >&2
        exit 3
    }
    ;;
*)
    echo "usage: chromium.sh install | find" >&2
    exit 2
    ;;
esac
