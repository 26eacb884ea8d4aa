#!/bin/sh
# `onc-mirror` for the operator of a VM, with the settings, the secrets and the user of its units; as root:
#
#   install -m 0755 infra/systemd/onc-mirror.sh /usr/local/bin/onc-mirror && onc-mirror status
set -eu
set -a
. /etc/onc-mirror/onc-mirror.env
[ ! -f /etc/onc-mirror/prefect-worker.env ] || . /etc/onc-mirror/prefect-worker.env
set +a
export ONC_TOKEN_FILE=/etc/onc-mirror/onc-token AWS_SHARED_CREDENTIALS_FILE=/etc/onc-mirror/s3-credentials
export ONC_MIRROR_STATE_DIR=/var/lib/onc-mirror HOME=/var/lib/onc-mirror
cd /var/lib/onc-mirror
exec setpriv --reuid=onc-mirror --regid=onc-mirror --init-groups /opt/onc-mirror/.venv/bin/onc-mirror "$@"
