"""The files that Swift's servers read: rings, one configuration per server, and the salt of all paths.

They are written anew at each start, so that the ports may differ, but for the salt: without it the data cannot be
found again.
"""

from __future__ import annotations

import secrets
from typing import TYPE_CHECKING

from infra.sandbox.ports import HOST

if TYPE_CHECKING:
    from pathlib import Path

PROXY = "proxy"
# Their ports follow the proxy's in this order.
STORAGE = ("object", "container", "account")

_SWIFT_CONF = """\
[swift-hash]
swift_hash_path_suffix = {salt}

[storage-policy:0]
name = gold
default = yes

# As S3 has it: 5 GiB in one piece, and 2 kB of metadata, which Swift would hold to 256 bytes per value.
[swift-constraints]
max_file_size = 5368709122
max_meta_value_length = 2048
"""

_COMMON = """\
[DEFAULT]
bind_ip = {host}
bind_port = {port}
# One process per server, which ends when it is told to.
workers = 0
user = {user}
swift_dir = {folder}
log_level = WARNING
"""

_STORAGE = """\
devices = {state}/devices
mount_check = false
fallocate_reserve = 0

[pipeline:main]
pipeline = {kind}-server

[app:{kind}-server]
use = egg:swift#{kind}
recon_cache_path = {state}/recon
"""

# Swift adds the required filters that are missing, but before the authentication, which it does not know by our name.
_PROXY = """
[pipeline:main]
pipeline = catch_errors gatekeeper healthcheck cache listing_formats s3api tempauth copy slo dlo versioned_writes\
 proxy-server

[filter:catch_errors]
use = egg:swift#catch_errors

[filter:gatekeeper]
use = egg:swift#gatekeeper

[filter:healthcheck]
use = egg:swift#healthcheck

[filter:cache]
paste.filter_factory = infra.sandbox.swift.filters:remember

[filter:listing_formats]
use = egg:swift#listing_formats

[filter:s3api]
use = egg:swift#s3api
location = us-east-1

[filter:tempauth]
paste.filter_factory = infra.sandbox.swift.filters:authenticate

[filter:copy]
use = egg:swift#copy

[filter:slo]
use = egg:swift#slo

[filter:dlo]
use = egg:swift#dlo

[filter:versioned_writes]
use = egg:swift#versioned_writes

[app:proxy-server]
use = egg:swift#proxy
account_autocreate = true
"""


def write_configuration(state: Path, port: int, user: str) -> None:
    """Write everything the four servers need.

    Args:
        state: Folder of data and configuration.
        port: Of the proxy; the other servers have the next three.
        user: Name of the user who runs this.
    """
    folder = state / "etc"
    for needed in (folder, state / "devices" / "disk", state / "recon"):
        needed.mkdir(parents=True, exist_ok=True)
    salt = state / "salt"
    if not salt.exists():
        salt.write_text(secrets.token_hex(16), encoding="ascii")
    swift_conf = _SWIFT_CONF.format(salt=salt.read_text(encoding="ascii"))
    (folder / "swift.conf").write_text(swift_conf, encoding="utf-8")

    def write(kind: str, own_port: int, text: str) -> None:
        whole = (_COMMON + text).format(host=HOST, port=own_port, user=user, folder=folder, state=state, kind=kind)
        (folder / f"{kind}.conf").write_text(whole, encoding="utf-8")

    write(PROXY, port, _PROXY)
    for distance, kind in enumerate(STORAGE, start=1):
        write(kind, port + distance, _STORAGE)
        _write_ring(folder, kind, port + distance)


def _write_ring(folder: Path, kind: str, port: int) -> None:
    # Importing Swift takes half a second, which a refusal for a busy port need not wait for.
    from swift.common.ring import RingBuilder  # noqa: PLC0415 - see above

    builder = RingBuilder(part_power=4, replicas=1, min_part_hours=0)
    address = {"ip": HOST, "port": port, "replication_ip": HOST, "replication_port": port}
    builder.add_dev({"id": 0, "region": 1, "zone": 1, "device": "disk", "weight": 1, **address})
    builder.rebalance(seed=0)
    builder.get_ring().save(str(folder / f"{kind}.ring.gz"))
