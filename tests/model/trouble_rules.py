"""What goes wrong, for a while: the archive, the way to it, the store, the ledger, the clock."""

from __future__ import annotations

from datetime import timedelta

from hypothesis import strategies as st
from hypothesis.stateful import rule

from infra.sandbox.archive.faults import Kind
from tests.model.machine import Machine, taken_in
from tests.model.world import DEVICES

times = st.sampled_from([1, 1, 2, None])
"""How often a fault strikes; once is cured by the second attempt of the same run."""

OF_A_FILE = [
    Kind.SERVER_ERROR,
    Kind.CUT,
    Kind.SHORT,
    Kind.HTML,
    Kind.NOT_READY,
    Kind.STILL_OPEN_SWMR,
    Kind.GONE_BETWEEN,
]
OF_A_LISTING = [Kind.SERVER_ERROR, Kind.GARBLED_JSON, Kind.DUPLICATE_ROWS]
OF_EVERYTHING = [Kind.CONNECT_TIMEOUT, Kind.UNAVAILABLE]
FEW = st.integers(1, 6)


class TroubleRules(Machine):
    """Troubles that pass."""

    @rule(name=taken_in, kind=st.sampled_from(OF_A_FILE), count=times)
    def file_fails(self, name: str, kind: Kind, count: int | None) -> None:
        self.world.archive.fault(kind, filename=name, endpoint="download", count=count)
        if kind is Kind.SHORT and self.world.size_is_unknown(name):
            self.world.flipped.add(name)

    @rule(name=taken_in, count=times)
    def file_arrives_flipped(self, name: str, count: int | None) -> None:
        if name.endswith(".hdf5"):  # in other formats nobody can tell
            self.world.archive.fault(Kind.BIT_FLIP, filename=name, endpoint="download", count=count)
            self.world.flipped.add(name)

    @rule(device=st.sampled_from(DEVICES), kind=st.sampled_from(OF_A_LISTING), count=times)
    def listing_fails(self, device: str, kind: Kind, count: int | None) -> None:
        self.world.archive.fault(kind, device=device, endpoint="device", count=count)

    @rule(kind=st.sampled_from(OF_EVERYTHING), count=times)
    def archive_is_down(self, kind: Kind, count: int | None) -> None:
        self.world.archive.fault(kind, count=count)

    @rule()
    def archive_recovers(self) -> None:
        self.world.archive.faults.clear()

    @rule(is_down=st.booleans())
    def store_goes_or_comes(self, *, is_down: bool) -> None:
        self.world.perils.store_is_down = is_down

    @rule(left=FEW, lost=st.booleans())
    def store_fails_once(self, left: int, *, lost: bool) -> None:
        self.world.perils.store_fails_in, self.world.perils.answer_is_lost = left, lost

    @rule(left=st.integers(1, 12))
    def ledger_fails_once(self, left: int) -> None:
        self.world.perils.ledger_fails_in = left

    @rule(
        skew=st.sampled_from([timedelta(0), timedelta(0), timedelta(hours=5), timedelta(hours=-5), timedelta(days=3)])
    )
    def clock_jumps(self, skew: timedelta) -> None:
        self.world.skew = skew
