#!/bin/bash
# nginx as a program. No service of the system is started.
#
#   nginx.sh install   install Debian's package (root)
#   nginx.sh find      say where it is
#
# Exit codes: 0 done, 2 usage, 3 nginx is not installed. NGINX_DIR is where to look before the PATH.
set -euo pipefail
. "$(dirname "$(realpath "$0")")/debian_program.sh"
debian_program nginx nginx "${NGINX_DIR:-}" nginx "$@"
