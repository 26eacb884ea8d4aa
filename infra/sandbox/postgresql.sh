#!/bin/bash
# A PostgreSQL server that nobody will miss: on the loopback address, on a port that it finds free, in one folder.
#
#   postgresql.sh install      install Debian's package (root); no service, no cluster of the system is started
#   postgresql.sh find         say where its programs are
#   postgresql.sh run DIR      make a server in DIR, print its port, stay until a signal; then delete DIR
#   postgresql.sh stop DIR     let it vanish under its clients
#   postgresql.sh start DIR    bring it back with what was committed, on the same port
#
# Exit codes: 0 done, 1 the server does not come up (its log is shown), 2 usage, 3 PostgreSQL is not installed.
# Its superuser is `onc`, without a password, or with that of the file POSTGRESQL_PASSWORD_FILE. As root, the server runs
# as `nobody`: PostgreSQL refuses root. Nothing is synced to disk: it survives its own kill, not the machine's.
#
# POSTGRESQL_DIR is where to look for its versions before the PATH, if not in Debian's folder.
set -euo pipefail
DEBIAN=${POSTGRESQL_DIR:-/usr/lib/postgresql}
PASSWORD_FILE=${POSTGRESQL_PASSWORD_FILE:+$(realpath "$POSTGRESQL_PASSWORD_FILE")}
HERE=$(dirname "$(realpath "$0")")
SETTINGS="-c listen_addresses=127.0.0.1 -c unix_socket_directories= -c fsync=off -c full_page_writes=off"
SETTINGS+=" -c autovacuum=off -c shared_buffers=32MB -c max_connections=200"
# Below the ports that the kernel gives to clients (/proc/sys/net/ipv4/ip_local_port_range).
LOWEST_PORT=10000
PORTS=20000
TRIES=10

fail() {
    echo "postgresql.sh: $1" >&2
    exit "${2:-1}"
}

# The folder of the newest server programs: Debian keeps them out of the PATH.
find_programs() {
    local newest
    newest=$(printf '%s\n' "$DEBIAN"/*/bin/initdb | sort -V | tail -n 1)
    [ -x "$newest" ] || newest=$(command -v initdb) || fail "PostgreSQL is not installed; run: $0 install" 3
    dirname "$newest"
}

as_server_user() {
    if [ "$(id -u)" = 0 ]; then
        setpriv --reuid=nobody --regid="$(id -g nobody)" --clear-groups "$@"
    else
        "$@"
    fi
}

start() {
    as_server_user "$PROGRAMS/pg_ctl" start --silent --wait --timeout=60 -D "$DIR/data" -l "$DIR/log" \
        -o "$SETTINGS -p $1" >/dev/null
}

stop() {
    as_server_user "$PROGRAMS/pg_ctl" stop --silent --wait -m immediate -D "$DIR/data" >/dev/null
}

finish() {
    [ ! -e "$DIR/data/postmaster.pid" ] || stop || true
    rm -rf "$DIR"
}

run() {
    mkdir "$DIR" || fail "$DIR must not be there" 2
    trap finish EXIT
    trap 'exit 0' INT TERM HUP
    local auth=(--auth=trust)
    if [ -n "$PASSWORD_FILE" ]; then
        install -m 0600 "$PASSWORD_FILE" "$DIR/password"
        auth=(--auth=scram-sha-256 --pwfile="$DIR/password")
    fi
    [ "$(id -u)" != 0 ] || chown -R nobody: "$DIR"
    as_server_user "$PROGRAMS/initdb" -D "$DIR/data" --username=onc "${auth[@]}" --no-sync --no-instructions \
        --encoding=UTF8 --locale=C >/dev/null
    rm -f "$DIR/password"
    local port try
    for ((try = 1; ; try++)); do
        port=$((LOWEST_PORT + RANDOM % PORTS))
        start $port 2>/dev/null && break
        if [ $try = $TRIES ]; then
            cat "$DIR/log" >&2 || true
            fail "the server does not come up"
        fi
    done
    echo $port >"$DIR/port"
    echo $port
    while true; do
        # A signal interrupts `wait`, not a command.
        sleep 1000 &
        wait $!
    done
}

command=${1:-}
case $command in
install | find) [ $# = 1 ] || fail "usage: postgresql.sh $command" 2 ;;
run | stop | start) [ $# = 2 ] || fail "usage: postgresql.sh $command DIR" 2 ;;
*) fail "usage: postgresql.sh install | find | run DIR | stop DIR | start DIR" 2 ;;
esac

if [ "$command" = install ]; then
    (find_programs >/dev/null 2>&1) || "$HERE/debian_packages.sh" postgresql
    exit
fi
PROGRAMS=$(find_programs)
if [ "$command" = find ]; then
    echo "$PROGRAMS"
    exit
fi
DIR=$(realpath -m "$2")
# The server's user may not enter the caller's folder.
cd /
case $command in
run) run ;;
stop) stop ;;
start) start "$(cat "$DIR/port")" ;;
esac
