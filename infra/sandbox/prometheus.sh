#!/bin/bash
# Prometheus as programs: `prometheus` and `promtool`. No service of the system is started.
#
#   prometheus.sh install   install Debian's package (root)
#   prometheus.sh find      say in which folder they are
#
# Exit codes: 0 done, 2 usage, 3 Prometheus is not installed. PROMETHEUS_DIR is where to look before the PATH.
set -euo pipefail
HERE=$(dirname "$(realpath "$0")")

find_programs() {
    local program
    program=$(PATH="${PROMETHEUS_DIR:+$PROMETHEUS_DIR:}$PATH" command -v promtool) &&
        [ -x "$(dirname "$program")/prometheus" ] || return 3
    dirname "$program"
}

[ $# = 1 ] || set -- usage
case $1 in
install) find_programs >/dev/null || "$HERE/debian_packages.sh" prometheus ;;
find)
    find_programs || {
        echo "prometheus.sh: Prometheus is not installed; run: $0 install" >&2
        exit 3
    }
    ;;
*)
    echo "usage: prometheus.sh install | find" >&2
    exit 2
    ;;
esac
