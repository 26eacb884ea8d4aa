"""Finding out whether ports are free before anything is started on them."""

from __future__ import annotations

import socket
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

HOST = "127.0.0.1"
HIGHEST = 65535


@dataclass(frozen=True, slots=True)
class Claim:
    """Ports that a part wants.

    Attributes:
        purpose: The part, as people call it.
        variable: The environment variable that moves it elsewhere.
        port: The first port.
        count: How many in a row.
    """

    purpose: str
    variable: str
    port: int
    count: int = 1

    @property
    def ports(self) -> range:
        """All ports of the claim."""
        return range(self.port, self.port + self.count)


def find_conflicts(claims: Iterable[Claim]) -> list[str]:
    """Say, one line each, which ports are taken, out of range or claimed twice, and which variable changes it."""
    problems, owners = [], dict[int, Claim]()
    for claim in claims:
        for port in claim.ports:
            remedy = f"Set {claim.variable} to another port, or to 0 for any free one."
            if port > HIGHEST:
                problems.append(f"Port {port} for the {claim.purpose} is above {HIGHEST}. {remedy}")
            elif port in owners:
                other = owners[port].purpose
                problems.append(f"Port {port} is wanted by both the {other} and the {claim.purpose}. {remedy}")
            elif not is_free(port):
                problems.append(f"Port {port} for the {claim.purpose} is in use. {remedy}")
            owners.setdefault(port, claim)
    return problems


def is_free(port: int) -> bool:
    """Say whether a server could listen on `port` of the loopback address now."""
    with socket.socket() as probe:
        # As servers do: a connection that lingers from the last run is no obstacle, a listener is.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((HOST, port))
        except OSError:
            return False
        return True


def pick_free(count: int = 1, *, avoid: Iterable[int] = ()) -> int:
    """Return a port that is free now with the `count - 1` after it, and shares none with `avoid`."""
    taken = set(avoid)
    while True:
        with socket.socket() as probe:
            probe.bind((HOST, 0))
            first: int = probe.getsockname()[1]
        wanted = range(first, first + count)
        if wanted[-1] <= HIGHEST and not taken.intersection(wanted) and all(map(is_free, wanted)):
            return first
