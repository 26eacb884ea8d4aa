#!/bin/bash
# A real Ceph RADOS Gateway (one mon, mgr, osd and rgw) from Debian's packages, on the loopback address, in one folder.
#
#   ceph.sh install            install the packages (root; Debian 12: Ceph 16.2)
#   ceph.sh start DIR PORT     start what does not run yet, keep the data that DIR has; PORT + 1 and + 2 are used too
#   ceph.sh run DIR PORT       the same, and stay until a signal, which stops the daemons
#   ceph.sh user DIR NAME      make one more user, who has no buckets and no rights in those of others
#   ceph.sh stop DIR           stop the daemons, keep the data
#   ceph.sh wipe DIR           stop the daemons, delete DIR
#
# Exit codes: 0 done, 1 a daemon does not come up (its log is in DIR/log), 2 usage or a busy port.
# CEPH_ACCESS_KEY and CEPH_SECRET_KEY are the keys of its user, or of the one that is made; CEPH_SIZE is the limit of its
# (sparse) disk.
# Nothing is read from or written to /etc/ceph; there is no systemd in it.
set -euo pipefail

ACCESS_KEY=${CEPH_ACCESS_KEY:-sandbox}
SECRET_KEY=${CEPH_SECRET_KEY:-sandbox-secret-key}
SIZE=${CEPH_SIZE:-20G}
PACKAGES=(ceph-mon ceph-mgr ceph-osd radosgw ceph-common)
# In the order of their start.
DAEMONS=(mon.a mgr.x osd.0 client.rgw.a)

fail() {
    echo "ceph.sh: $1" >&2
    exit "${2:-1}"
}

install_packages() {
    local program
    for program in ceph ceph-mon ceph-mgr ceph-osd radosgw; do
        if ! command -v $program >/dev/null; then
            "$(dirname "$0")/debian_packages.sh" "${PACKAGES[@]}"
            return
        fi
    done
}

# The recorded process runs, is one of Ceph's and not one that is just being killed (it would have no open files).
alive() {
    local pid
    pid=$(cat "$DIR/run/$1.pid" 2>/dev/null) && [ -n "$pid" ] &&
        grep -qE '^(ceph-|radosgw)' "/proc/$pid/comm" 2>/dev/null && [ -n "$(ls "/proc/$pid/fd" 2>/dev/null)" ]
}

# wait_for SECONDS WHAT COMMAND...
wait_for() {
    local end=$((SECONDS + $1)) what=$2
    shift 2
    until "$@" >/dev/null 2>&1; do
        [ $SECONDS -lt $end ] || fail "$what; see $DIR/log"
        sleep 0.2
    done
}

write_configuration() {
    mkdir -p "$DIR"/{mon,mgr,osd,rgw,run,log}
    local bytes
    bytes=$(numfmt --from=iec "$SIZE")
    # Authentication stays on: without it radosgw 16.2 hangs for ever. One copy of everything, on one disk.
    cat >"$CEPH_CONF" <<CONF
[global]
fsid = $FSID
mon host = [v2:127.0.0.1:$((PORT + 2)),v1:127.0.0.1:$((PORT + 1))]
public addr = 127.0.0.1
cluster addr = 127.0.0.1
public network = 127.0.0.0/8
auth cluster required = cephx
auth service required = cephx
auth client required = cephx
auth allow insecure global id reclaim = false
keyring = $DIR/keyring
mon allow pool size one = true
mon warn on pool no redundancy = false
mon data avail warn = 2
mon data avail crit = 1
mon max pg per osd = 1000
osd pool default size = 1
osd pool default min size = 1
osd pool default pg num = 8
osd pool default pgp num = 8
osd pool default pg autoscale mode = off
osd crush chooseleaf type = 0
run dir = $DIR/run
pid file = $DIR/run/\$type.\$id.pid
admin socket = $DIR/run/\$type.\$id.asok
log file = $DIR/log/\$type.\$id.log
log to stderr = false
crash dir = $DIR/log
[mon]
mon data = $DIR/mon
[mgr]
mgr data = $DIR/mgr
mgr initial modules =
[osd]
osd data = $DIR/osd
osd objectstore = bluestore
bluestore block size = $bytes
bluestore block create = true
bluestore fsck on mount = false
osd memory target = 939524096
osd op num threads per shard = 1
osd op num shards = 2
osd mclock skip benchmark = true
osd class load list = *
osd class default list = *
[client.rgw.a]
rgw data = $DIR/rgw
# Without tcp_nodelay every small GET takes 45 ms.
rgw frontends = beast endpoint=127.0.0.1:$PORT tcp_nodelay=1
rgw thread pool size = 64
rgw dns name = localhost
rgw enable usage log = false
rgw enable ops log = false
rgw gc obj min wait = 60
rgw s3 auth use sts = false
CONF
}

# new_key NAME CAPABILITY...
new_key() {
    local name=$1 capabilities=()
    shift
    while [ $# -gt 0 ]; do
        capabilities+=(--cap "$1" "$2")
        shift 2
    done
    ceph-authtool "$DIR/keyring" --gen-key -n "$name" "${capabilities[@]}" >/dev/null
}

create_cluster() {
    FSID=$(cat /proc/sys/kernel/random/uuid)
    write_configuration
    monmaptool --create --clobber --fsid "$FSID" "$DIR/monmap" \
        --addv a "[v2:127.0.0.1:$((PORT + 2)),v1:127.0.0.1:$((PORT + 1))]" >/dev/null
    ceph-authtool --create-keyring "$DIR/keyring" >/dev/null
    new_key mon. mon 'allow *'
    new_key client.admin mon 'allow *' osd 'allow *' mgr 'allow *'
    new_key mgr.x mon 'allow profile mgr' osd 'allow *'
    new_key osd.0 mon 'allow profile osd' mgr 'allow profile osd' osd 'allow *'
    new_key client.rgw.a mon 'allow rw' osd 'allow rwx'
    ceph-mon --mkfs -i a --monmap "$DIR/monmap" --keyring "$DIR/keyring"
}

create_disk() {
    local id
    id=$(cat /proc/sys/kernel/random/uuid)
    ceph osd new "$id" 0 >/dev/null
    ceph-osd -i 0 --mkfs --osd-uuid "$id" >"$DIR/log/mkfs.log" 2>&1
    ceph config set global osd_pool_default_pg_autoscale_mode off
}

require_free_ports() {
    local port
    for port in "$PORT" $((PORT + 1)) $((PORT + 2)); do
        # A connection that is accepted means that somebody listens.
        if (exec 3<>"/dev/tcp/127.0.0.1/$port") 2>/dev/null; then
            fail "port $port is in use; choose another PORT (that and the next two must be free)" 2
        fi
    done
}

osd_is_up() { ceph osd stat | grep -q '1 up'; }
gateway_answers() { curl -sf --noproxy '*' -o /dev/null "http://127.0.0.1:$PORT/"; }

create_user() {
    radosgw-admin user create --uid="$1" --display-name="$1" \
        --access-key="$ACCESS_KEY" --secret-key="$SECRET_KEY" >/dev/null
}

start() {
    command -v radosgw >/dev/null || fail "Ceph is not installed; run: ceph.sh install" 2
    local running=0 daemon
    for daemon in "${DAEMONS[@]}"; do
        if alive "$daemon"; then running=1; fi
    done
    [ $running = 1 ] || require_free_ports
    if [ -f "$CEPH_CONF" ]; then
        grep -q "endpoint=127.0.0.1:$PORT " "$CEPH_CONF" || fail "$DIR has a cluster on other ports; wipe it first" 2
    else
        create_cluster
    fi
    alive mon.a || ceph-mon -i a
    wait_for 30 "the monitor does not come up" timeout 5 ceph -s
    alive mgr.x || ceph-mgr -i x
    [ -e "$DIR/osd/ready" ] || create_disk
    alive osd.0 || ceph-osd -i 0 >"$DIR/log/osd-start.log" 2>&1
    wait_for 60 "the disk does not come up" osd_is_up
    alive client.rgw.a || radosgw -n client.rgw.a
    wait_for 120 "the gateway does not come up" gateway_answers
    radosgw-admin user info --uid=sandbox >/dev/null 2>&1 || create_user sandbox
    echo "S3 endpoint http://127.0.0.1:$PORT is ready; its data is in $DIR."
}

stop() {
    local index daemon pid
    for ((index = ${#DAEMONS[@]} - 1; index >= 0; index--)); do
        daemon=${DAEMONS[index]}
        alive "$daemon" || continue
        pid=$(cat "$DIR/run/$daemon.pid")
        kill "$pid"
        for _ in $(seq 100); do
            alive "$daemon" || break
            sleep 0.1
        done
        kill -9 "$pid" 2>/dev/null || true
    done
}

run() {
    trap 'stop; exit 0' INT TERM HUP
    start
    local daemon
    while true; do
        for daemon in "${DAEMONS[@]}"; do
            alive "$daemon" || fail "$daemon has ended; see $DIR/log"
        done
        # A signal interrupts `wait`, not a command.
        sleep 1 &
        wait $!
    done
}

command=${1:-}
case $command in
install)
    install_packages
    exit
    ;;
start | run) [ $# = 3 ] || fail "usage: ceph.sh $command DIR PORT" 2 ;;
user) [ $# = 3 ] || fail "usage: ceph.sh user DIR NAME" 2 ;;
stop | wipe) [ $# = 2 ] || fail "usage: ceph.sh $command DIR" 2 ;;
*) fail "usage: ceph.sh install | start DIR PORT | run DIR PORT | user DIR NAME | stop DIR | wipe DIR" 2 ;;
esac

DIR=$(realpath -m "$2")
PORT=${3:-}
export CEPH_CONF=$DIR/ceph.conf
case $command in
start) start ;;
run) run ;;
user) create_user "$3" ;;
stop) stop ;;
wipe)
    stop
    # Nothing is deleted that is not a cluster of ours.
    [ ! -f "$CEPH_CONF" ] || rm -rf "$DIR"
    ;;
esac
