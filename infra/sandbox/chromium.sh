#!/bin/bash
# Chromium as a program, for the tests of what people see and for the pictures of the README. No browser is downloaded.
#
#   chromium.sh install   install Debian's package (root)
#   chromium.sh find      say where it is
#
# Exit codes: 0 done, 2 usage, 3 Chromium is not installed. CHROMIUM_DIR is where to look before the PATH.
set -euo pipefail
. "$(dirname "$(realpath "$0")")/debian_program.sh"
debian_program Chromium chromium "${CHROMIUM_DIR:-}" chromium "$@"
