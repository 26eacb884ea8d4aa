#!/bin/bash
# Prometheus as programs: `prometheus` and `promtool`. No service of the system is started.
#
#   prometheus.sh install   install Debian's package (root)
#   prometheus.sh find      say where `prometheus` is; `promtool` is beside it
#
# Exit codes: 0 done, 2 usage, 3 Prometheus is not installed. PROMETHEUS_DIR is where to look before the PATH.
set -euo pipefail
. "$(dirname "$(realpath "$0")")/debian_program.sh"
debian_program Prometheus prometheus "${PROMETHEUS_DIR:-}" "prometheus promtool" "$@"
