"""Starting and stopping Swift's four processes."""

from __future__ import annotations

import errno
import os
import pwd
import subprocess
import sys
import time
import urllib.error
import urllib.request
from pathlib import Path
from typing import Self

from infra.sandbox.ports import HOST, is_free, pick_free
from infra.sandbox.swift.configuration import PROXY, STORAGE, write_configuration
from infra.sandbox.swift.keys import ACCESS_KEY_VARIABLE, SECRET_KEY_VARIABLE, is_usable

PORTS = 1 + len(STORAGE)

_ROOT = Path(__file__).resolve().parents[3]
_START_S = 60.0
_STOP_S = 5.0
_POLL_S = 0.05
_SHOWN_LINES = 10


class SwiftError(Exception):
    """Swift cannot be started as asked, or has ended; the message says what to change."""


class SwiftServers:
    """An S3 endpoint on the loopback address, with its data in a folder.

    The processes die with this one, even by a kill -9 (on Linux). Started again on the same folder, with the same
    access key or another, on the same ports or others, they have the same data.

    Args:
        state: Folder of data, configuration and logs.
        port: Of the endpoint; the next three are used too. 0: any four that are free.
        access_key: Access key of the only user.
        secret_key: Its secret.

    Attributes:
        url: The endpoint.
        health_url: Answers 200 while the endpoint can be used.
    """

    def __init__(self, state: Path, port: int, *, access_key: str, secret_key: str) -> None:
        self._state = state.resolve()
        self._port = port or pick_free(PORTS)
        self._keys = {ACCESS_KEY_VARIABLE: access_key, SECRET_KEY_VARIABLE: secret_key}
        self._processes: list[subprocess.Popen[bytes]] = []
        self.url = f"http://{HOST}:{self._port}"
        self.health_url = f"{self.url}/healthcheck"

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def start(self) -> None:
        """Start all servers and return once the endpoint answers.

        Raises:
            SwiftError: A port is in use, the access key or the folder is of no use, or a server has ended.
        """
        if not is_usable(self._keys[ACCESS_KEY_VARIABLE]):
            raise SwiftError("The access key is too short. Choose another with --access-key.")
        for port in range(self._port, self._port + PORTS):
            if not is_free(port):
                raise SwiftError(f"Port {port} is in use. Choose four free ones with --port FIRST, or --port 0.")
        _require_attributes(self._state)
        write_configuration(self._state, self._port, pwd.getpwuid(os.getuid()).pw_name)
        try:
            for kind in (*STORAGE, PROXY):
                self._processes.append(self._serve(kind))
            self._wait_until_healthy()
        except BaseException:
            self.kill()
            raise

    def check_alive(self) -> None:
        """Do nothing while all servers run.

        Raises:
            SwiftError: One has ended.
        """
        for kind, process in zip((*STORAGE, PROXY), self._processes, strict=True):
            if process.poll() is not None:
                raise SwiftError(f"Swift's {kind} server has ended ({process.returncode}).\n{self._tail(kind)}")

    def stop(self) -> None:
        """End all servers, by force those that do not go."""
        for process in self._processes:
            process.terminate()
        for process in self._processes:
            try:
                process.wait(_STOP_S)
            except subprocess.TimeoutExpired:
                process.kill()
        self.kill()

    def kill(self) -> None:
        """End all servers at once, as a crash of the machine would."""
        for process in self._processes:
            process.kill()
        for process in self._processes:
            process.wait()
        self._processes.clear()

    def _serve(self, kind: str) -> subprocess.Popen[bytes]:
        with self._log(kind).open("ab") as log:
            return subprocess.Popen(
                [sys.executable, "-m", "infra.sandbox.swift.serving", kind, str(self._state), str(os.getpid())],
                cwd=_ROOT,
                env=os.environ | self._keys,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                # A Ctrl-C in the terminal is for us, who stop them in order.
                start_new_session=True,
            )

    def _wait_until_healthy(self) -> None:
        end = time.monotonic() + _START_S
        for port in range(self._port, self._port + PORTS):
            while not _answers(port):
                self.check_alive()
                if time.monotonic() > end:
                    raise SwiftError(f"Swift does not answer on port {port} after {_START_S:.0f} s.")
                time.sleep(_POLL_S)

    def _log(self, kind: str) -> Path:
        return self._state / f"{kind}.log"

    def _tail(self, kind: str) -> str:
        lines = self._log(kind).read_text(encoding="utf-8", errors="replace").splitlines()
        return "\n".join([f"The end of {self._log(kind)}:", *lines[-_SHOWN_LINES:]])


def _require_attributes(state: Path) -> None:
    state.mkdir(parents=True, exist_ok=True)
    try:
        os.setxattr(state, "user.swift", b"")
    except OSError as error:
        if error.errno != errno.ENOTSUP:
            raise
        raise SwiftError(
            f"The file system of {state} has no extended attributes, in which Swift keeps metadata. "
            "Choose a folder on ext4, xfs, btrfs or overlay with --state."
        ) from None


def _answers(port: int) -> bool:
    try:
        # No proxy of the environment stands between us and the loopback address.
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        with opener.open(f"http://{HOST}:{port}/healthcheck", timeout=5):
            return True
    except urllib.error.HTTPError:
        return True
    except OSError:
        return False
