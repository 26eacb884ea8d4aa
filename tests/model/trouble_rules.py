"""What goes wrong, for a while: the archive, the way to it, the store, the ledger, the clock."""

from __future__ import annotations

from datetime import timedelta

from hypothesis import strategies as st
from hypothesis.stateful import rule

from infra.sandbox.archive.faults import Kind
from tests.model.machine import Machine, taken_in
from tests.model.works import RECONCILE
from tests.model.world import DEVICES
from tests.support.memory_archive import COUNTS

OF_A_FILE = [
    Kind.SERVER_ERROR,
    Kind.CUT,
    Kind.SHORT,
    Kind.HTML,
    Kind.NOT_READY,
    Kind.NOT_READY,
    Kind.BIT_FLIP,
    Kind.STILL_OPEN_SWMR,
    Kind.GONE_BETWEEN,
]
OF_A_LISTING = [Kind.SERVER_ERROR, Kind.GARBLED_JSON, Kind.DUPLICATE_ROWS]
OF_EVERYTHING = [Kind.CONNECT_TIMEOUT, Kind.UNAVAILABLE]

times = st.sampled_from([1, 2, None])
"""How often a fault strikes; once is cured by the second attempt of the same run."""
few = st.integers(1, 8)
skews = st.sampled_from([timedelta(0), timedelta(hours=5), timedelta(hours=-5), timedelta(days=3)])


class TroubleRules(Machine):
    """Troubles that pass."""

    @rule(name=taken_in, kind=st.sampled_from(OF_A_FILE), count=times)
    def file_fails(self, name: str, kind: Kind, count: int | None) -> None:
        if kind is Kind.BIT_FLIP and not name.endswith(".hdf5"):
            return  # in other formats nobody can tell
        self.world.archive.fault(kind, filename=name, endpoint="download", count=count)
        untold = kind is Kind.BIT_FLIP or (kind is Kind.SHORT and self.world.size_is_unknown(name))
        if untold and count != 1:  # damage that comes once is told by the second download
            self.world.flipped.add(name)

    @rule(kind=st.sampled_from(OF_A_FILE), count=times)
    def next_files_fail(self, kind: Kind, count: int | None) -> None:
        """Files that are still to come, and all that were not fetched yet."""
        if kind not in {Kind.BIT_FLIP, Kind.SHORT, Kind.GONE_BETWEEN}:  # these are remembered by name
            self.world.archive.fault(kind, endpoint="download", count=count)

    @rule()
    def next_download_is_damaged(self) -> None:
        self.world.archive.fault(Kind.BIT_FLIP, filename="*.hdf5", endpoint="download", count=1)

    @rule(device=st.sampled_from([*DEVICES, None]), kind=st.sampled_from(OF_A_LISTING + OF_EVERYTHING), count=times)
    def archive_fails(self, device: str | None, kind: Kind, count: int | None) -> None:
        endpoint = None if kind in OF_EVERYTHING else "device"
        self.world.archive.fault(kind, device=None if endpoint is None else device, endpoint=endpoint, count=count)

    @rule(count=times)
    def archive_does_not_count(self, count: int | None) -> None:
        """The second witness is silent; listings are as ever."""
        self.world.archive.fault(Kind.SERVER_ERROR, endpoint=COUNTS, count=count)

    @rule(left=few, lost=st.booleans())
    def store_fails_once(self, left: int, *, lost: bool) -> None:
        self.world.perils.store_fails_in, self.world.perils.answer_is_lost = left, lost

    @rule(left=few, ledger=st.booleans())
    def store_or_ledger_fails(self, left: int, *, ledger: bool) -> None:
        if ledger:
            self.world.perils.ledger_fails_in = left
        else:
            self.world.perils.store_is_down = True

    @rule(kind=st.sampled_from([None, Kind.NOT_READY, Kind.HTML, Kind.UNAVAILABLE]), hours=st.integers(2, 4))
    def outage_of_hours(self, kind: Kind | None, hours: int) -> None:
        """All downloads fail, or the store (None), in every run of some hours."""
        if kind is None:
            self.world.perils.store_is_down = True
        else:
            self.world.archive.fault(kind, endpoint="download")
        for _ in range(hours):
            self.world.now += timedelta(hours=1)
            self.checked_run()
        self.world.calm()

    @rule(device=st.sampled_from(DEVICES), rows=st.sampled_from([0, 0, 3, 4]))
    def listings_are_cut_short(self, device: str, rows: int) -> None:
        """Of restricted data nothing is listed, and a broken pager lists the first rows."""
        self.world.archive.shortened[device] = rows

    @rule(device=st.sampled_from(DEVICES), rows=st.sampled_from([0, 3]), is_counted=st.booleans())
    def reconcile_what_is_cut_short(self, device: str, rows: int, *, is_counted: bool) -> None:
        """A night in which listings are cut short, and perhaps nobody counts either."""
        self.listings_are_cut_short(device=device, rows=rows)
        if not is_counted:
            self.archive_does_not_count(count=None)
        self.checked_run(RECONCILE)
        self.world.calm()

    @rule(name=taken_in, is_lost=st.booleans())
    def object_is_spoilt(self, name: str, *, is_lost: bool) -> None:
        for (_, filename), entry in self.world.entries().items():
            if filename == name and entry.key in self.world.bucket.objects:
                self.world.spoil(entry.key, is_lost=is_lost)

    @rule()
    def all_is_well(self) -> None:
        self.world.calm()

    @rule(skew=skews)
    def clock_jumps(self, skew: timedelta) -> None:
        self.world.skew = skew
