"""Run an S3 endpoint until Ctrl-C.

    python -m infra.sandbox.swift --state DIR --port 9000 [--bucket NAME]...

Exit codes: 0 stopped by a signal, 1 a server ended by itself, 2 it cannot be started as asked.
"""

from __future__ import annotations

import argparse
import os
import signal
import sys
import threading
from pathlib import Path

from infra.sandbox.buckets import BucketError, SandboxBucket
from infra.sandbox.swift.keys import ACCESS_KEY_VARIABLE, SECRET_KEY_VARIABLE
from infra.sandbox.swift.servers import SwiftError, SwiftServers

_WATCH_S = 1.0


def main(arguments: list[str]) -> int:
    """Serve until SIGINT, SIGTERM or SIGHUP."""
    options = _parse(arguments)
    told = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, lambda *_: told.set())
    servers = SwiftServers(options.state, options.port, access_key=options.access_key, secret_key=options.secret_key)
    try:
        servers.start()
    except SwiftError as error:
        sys.stderr.write(f"{error}\n")
        return 2
    try:
        for bucket in options.bucket:
            keys = {"access_key": options.access_key, "secret_key": options.secret_key}
            SandboxBucket(servers.url, bucket, **keys).prepare()
        sys.stdout.write(f"S3 endpoint {servers.url} is ready; its data is in {options.state}.\n")
        sys.stdout.flush()
        while not told.wait(_WATCH_S):
            servers.check_alive()
    except (SwiftError, BucketError) as error:
        sys.stderr.write(f"{error}\n")
        return 1
    finally:
        servers.stop()
    return 0


def _parse(arguments: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m infra.sandbox.swift", description="A local S3 endpoint.")
    parser.add_argument("--state", type=Path, required=True, help="folder of data, configuration and logs")
    parser.add_argument(
        "--port", type=int, default=9000, help="of the endpoint; the next three are used too; 0: any (9000)"
    )
    parser.add_argument("--access-key", default=os.environ.get(ACCESS_KEY_VARIABLE, "sandbox"))
    parser.add_argument("--secret-key", default=os.environ.get(SECRET_KEY_VARIABLE, "sandbox-secret-key"))
    parser.add_argument("--bucket", action="append", default=[], help="create this bucket if it is not there")
    return parser.parse_args(arguments)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
