#!/bin/bash
# Install Debian packages as programs only: no service of theirs is started. Needs root.
#
#   debian_packages.sh PACKAGE...
set -euo pipefail

# While this file is there, dpkg does not start the system's services.
policy=/usr/sbin/policy-rc.d
if [ ! -e $policy ]; then
    printf '#!/bin/sh\nexit 101\n' >$policy
    chmod +x $policy
    trap 'rm -f $policy' EXIT
fi
apt-get -qq update
DEBIAN_FRONTEND=noninteractive apt-get -qq install -y --no-install-recommends "$@" >/dev/null
