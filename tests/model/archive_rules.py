"""What the archive does: files come, late, out of order and odd; they are replaced, doubled, go, and come back."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from hypothesis import strategies as st
from hypothesis.stateful import MultipleResults, consumes, initialize, multiple, rule

from tests.model.machine import Machine, taken_in
from tests.model.world import DEVICES
from tests.support.marked_files import BROKEN, SOUND

devices = st.sampled_from(DEVICES)
marks = st.sampled_from([SOUND, SOUND, SOUND, SOUND, BROKEN])
extensions = st.sampled_from(["hdf5", "hdf5", "txt"])
lags = st.sampled_from([timedelta(0), timedelta(hours=3), timedelta(days=1), timedelta(days=40)])
"""How much older than now the data are."""
delays = st.sampled_from([timedelta(0), timedelta(minutes=10), timedelta(minutes=50)])
"""How much later than archived a file is listed: less than the overlap, else only a reconcile can find it."""

ODD_NAMES = ["../../escaped.hdf5", "a/b.hdf5", "nul\0.hdf5", "a" * 5000 + ".hdf5", "", ".", None, 17]
UNDATED = dict.fromkeys(["dateFrom", "dateTo", "archivedDate", "modifyDate"])
oddities: st.SearchStrategy[dict[str, Any]] = st.one_of(
    st.sampled_from(ODD_NAMES).map(lambda name: {"filename": name}),
    st.sampled_from(ODD_NAMES).map(lambda name: {"filename": name, **UNDATED}),
    st.sampled_from([*DEVICES, "STRANGER1"]).map(lambda code: {"deviceCode": code}),
    st.just({"fileSize": None}),
)
"""What such rows have differently; a field that is None is left out."""


class ArchiveRules(Machine):
    """The archive's own life."""

    @initialize(target=taken_in)
    def begin_with_a_good_hour(self) -> MultipleResults[str]:
        """Some files that the mirror has, as most troubles are about such, and one that it does not want so far."""
        self.checked_run()
        unwanted = self._put(self._row(DEVICES[1], "txt", timedelta(0)), SOUND, self.world.now)
        names = [unwanted, *self._put_one_by_one(DEVICES[0], 2), *self._put_one_by_one(DEVICES[1], 1)]
        self.checked_run()
        return multiple(*names)

    @rule(target=taken_in, device=devices, extension=extensions, mark=marks, lag=lags, delay=delays)
    def take_in(self, device: str, extension: str, mark: bytes, lag: timedelta, delay: timedelta) -> str:
        return self._put(self._row(device, extension, lag), mark, self.world.now + delay)

    @rule(target=taken_in, device=devices, count=st.integers(2, 4))
    def take_in_an_hour(self, device: str, count: int) -> MultipleResults[str]:
        """Files one after the other, as they come when all is well."""
        return multiple(*self._put_one_by_one(device, count))

    @rule(target=taken_in, device=devices, oddity=oddities)
    def take_in_odd(self, device: str, oddity: dict[str, Any]) -> MultipleResults[str]:
        body = self._body(SOUND)
        row = _sized(self._row(device, "hdf5", timedelta(0)), body) | oddity
        self.world.put({key: value for key, value in row.items() if value is not None}, body, device)
        return multiple() if "filename" in oddity or "deviceCode" in oddity else multiple(row["filename"])

    @rule(name=taken_in, mark=marks, other_day=st.booleans(), same_size=st.booleans())
    def archive_again(self, name: str, mark: bytes, *, other_day: bool, same_size: bool) -> None:
        old = self._present(name)
        if old is None:
            return
        body = self._body(mark, size=len(old.body) if same_size else None)
        changes = self._archived_now()
        if other_day and isinstance(old.row["dateFrom"], str):
            begin = old.file.begins_at
            assert begin is not None
            changes |= {"dateFrom": _text(begin - timedelta(days=1))}
            self.world.moved.add(name)
        self.world.replace(name, body, **changes | _sized({}, body))

    @rule(name=taken_in)
    def list_twice_and_differently(self, name: str) -> None:
        """Beside the row of now, one as it was before."""
        now = self._present(name)
        if now is not None and now.file.archived_at is not None:
            before = _text(now.file.archived_at - timedelta(minutes=5))
            stale = now.row | {"archivedDate": before, "modifyDate": before, "fileSize": 1}
            self.world.archive.take_in(stale, now.body, device_code=now.device_code, listed_from=now.listed_from)

    @rule(name=consumes(taken_in))
    def vanish(self, name: str) -> None:
        self.world.archive.vanish(name)

    @rule(target=taken_in, name=taken_in)
    def vanish_and_come_back(self, name: str) -> str:
        now = self._present(name)
        if now is not None:
            self.world.archive.vanish(name)
            self.world.put(now.row | self._archived_now(), now.body, now.device_code, self.world.now)
        return name

    def _put(self, row: dict[str, Any], mark: bytes, listed_from: datetime) -> str:
        body = self._body(mark)
        self.world.put(_sized(row, body), body, row["deviceCode"], listed_from)
        return str(row["filename"])

    def _put_one_by_one(self, device: str, count: int) -> list[str]:
        names = []
        for _ in range(count):
            names.append(self._put(self._row(device, "hdf5", timedelta(hours=1)), SOUND, self.world.now))
            self.world.now += timedelta(minutes=5)
        return names

    def _present(self, name: str) -> Any:
        try:
            return self.world.archive.shelved(name)
        except LookupError:
            return None

    def _row(self, device: str, extension: str, lag: timedelta) -> dict[str, Any]:
        self.serial += 1
        begin = self.world.now - lag
        name = f"{device}_{begin:%Y%m%dT%H%M%S}.000Z-{self.serial}.{extension}"
        span = {"dateFrom": _text(begin), "dateTo": _text(begin + timedelta(minutes=5))}
        return {"filename": name, "deviceCode": device, **span, **self._archived_now()}

    def _archived_now(self) -> dict[str, Any]:
        """The times of a row that the archive takes in at this moment, a little later than all before."""
        self.world.now += timedelta(milliseconds=7)
        return {
            "archivedDate": _text(self.world.now),
            "modifyDate": _text(self.world.now + timedelta(seconds=4)),
        }

    def _body(self, mark: bytes, size: int | None = None) -> bytes:
        """Bytes that no other file has."""
        self.serial += 1
        body = mark + str(self.serial).encode()
        return body.ljust(size or len(body) + self.serial, b".")[: size or None]


def _sized(row: dict[str, Any], body: bytes) -> dict[str, Any]:
    return row | {"fileSize": len(body), "uncompressedFileSize": len(body), "compression": None}


def _text(time: datetime) -> str:
    return time.replace(tzinfo=None).isoformat(timespec="milliseconds") + "Z"
