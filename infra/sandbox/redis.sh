#!/bin/bash
# Redis as programs: `redis-server` and `redis-cli`. No service of the system is started.
#
#   redis.sh install   install Debian's package (root)
#   redis.sh find      say where `redis-server` is; `redis-cli` is beside it
#
# Exit codes: 0 done, 2 usage, 3 Redis is not installed. REDIS_DIR is where to look before the PATH.
set -euo pipefail
. "$(dirname "$(realpath "$0")")/debian_program.sh"
debian_program Redis redis-server "${REDIS_DIR:-}" "redis-server redis-cli" "$@"
