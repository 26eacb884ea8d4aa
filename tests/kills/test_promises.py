"""The harness can fail: what is tampered with after a good run is found, whatever it is."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from datetime import timedelta
from typing import TYPE_CHECKING

import pytest
from sqlalchemy import create_engine, text

from infra.sandbox.archive.faults import Kind
from tests.support.mirrors import NOON, bench
from tests.support.promises import broken_promises, look_around

if TYPE_CHECKING:
    from pathlib import Path

    from onc_mirror.report.document import RunReport
    from tests.support.archive import RunningArchive
    from tests.support.mirrors import Bench

DEVICE = "TUMSTANDARDMODULE001"
LAST = f"{DEVICE}_20220502T110000.000Z-SDAQ-MODULE.hdf5"
FIRST = f"{DEVICE}_20220502T100000.000Z-SDAQ-MODULE.hdf5"
DAY = f"raw/{DEVICE}/2022/05/02"

Tampering = Callable[["Bench", "RunReport"], None]


def bucket(mirror: Bench) -> Path:
    return mirror.settings.state_dir.parent / "bucket"


def change_ledger(statement: str) -> Tampering:
    def change(mirror: Bench, _report: RunReport) -> None:
        engine = create_engine(mirror.settings.ledger)
        with engine.begin() as connection:
            assert connection.execute(text(statement), {"name": FIRST} if ":name" in statement else {}).rowcount
        engine.dispose()

    return change


def lose_an_object(mirror: Bench, _report: RunReport) -> None:
    (bucket(mirror) / DAY / FIRST).unlink()


def rot_an_object(mirror: Bench, _report: RunReport) -> None:
    path = bucket(mirror) / DAY / FIRST
    path.write_bytes(path.read_bytes()[:-1] + b"?")


def put_a_stranger(mirror: Bench, _report: RunReport) -> None:
    (bucket(mirror) / DAY / "stranger.hdf5").write_bytes(b"?")


def double_an_object(mirror: Bench, _report: RunReport) -> None:
    elsewhere = bucket(mirror) / "raw" / DEVICE / "2022" / "05" / "01" / FIRST
    elsewhere.parent.mkdir()
    elsewhere.write_bytes((bucket(mirror) / DAY / FIRST).read_bytes())


def lose_what_was_replaced(mirror: Bench, _report: RunReport) -> None:
    next((bucket(mirror) / "superseded").rglob("*.hdf5.*")).unlink()


def lose_a_note(mirror: Bench, _report: RunReport) -> None:
    next((bucket(mirror) / "quarantine").rglob("*.json")).unlink()


def lose_a_bad_copy(mirror: Bench, _report: RunReport) -> None:
    for path in (bucket(mirror) / "quarantine" / DEVICE).iterdir():
        path.unlink()


def lose_the_report(mirror: Bench, report: RunReport) -> None:
    next((bucket(mirror) / "reports").rglob(f"{report.run_id}.json")).unlink()


def change_the_report(mirror: Bench, report: RunReport) -> None:
    path = next((bucket(mirror) / "reports").rglob(f"{report.run_id}.json"))
    path.write_text(json.dumps(json.loads(path.read_text()) | {"mirrored": 99}))


def leave_something_in_scratch(mirror: Bench, _report: RunReport) -> None:
    mirror.settings.scratch.mkdir(parents=True, exist_ok=True)
    (mirror.settings.scratch / "left.hdf5.part").touch()


def leave_something_half_written(mirror: Bench, _report: RunReport) -> None:
    (bucket(mirror) / ".onc-mirror" / "partial" / "half").touch()


TAMPERINGS = {
    "its object": lose_an_object,
    "not what the archive has": rot_an_object,
    "stranger.hdf5 is not in the ledger": put_a_stranger,
    "2 times in the bucket": double_an_object,
    "was mirrored once and is lost": lose_what_was_replaced,
    "has no note": lose_a_note,
    "no bad copy is kept": lose_a_bad_copy,
    "the bucket has the report 0 times": lose_the_report,
    "the bucket has another report": change_the_report,
    "left.hdf5.part is left behind": leave_something_in_scratch,
    "half is left behind": leave_something_half_written,
    "without an end": change_ledger("UPDATE files SET state = 'listed' WHERE filename = :name"),
    "without a reason": change_ledger("UPDATE files SET reason = '' WHERE state = 'quarantined'"),
    "another hash than the ledger": change_ledger("UPDATE files SET sha256 = 'ab' WHERE filename = :name"),
    "which is not in the ledger": change_ledger("DELETE FROM files WHERE state = 'filtered'"),
    "leases are left": change_ledger(
        "UPDATE files SET lease_owner = 'x', lease_until = '2099-01-01 00:00:00.000000' WHERE filename = :name"
    ),
    "does not have the report": change_ledger("UPDATE runs SET report = '{}'"),
    "is reported as": change_ledger("UPDATE files SET state = 'gone', reason = 'x' WHERE filename = :name"),
}


def replace_files(mirror: Bench) -> None:
    """Have the archive replace what it has, once with a broken file."""
    mirror.archive.fault(Kind.BIT_FLIP, filename=LAST)
    for name in (FIRST, LAST):
        mirror.archive.fault(Kind.RE_ARCHIVED, filename=name, at=NOON + timedelta(minutes=1))
    mirror.turn(NOON + timedelta(minutes=5))


@pytest.fixture(scope="module")
def good_run(
    one_archive: RunningArchive, tmp_path_factory: pytest.TempPathFactory
) -> tuple[Path, RunReport, frozenset[str]]:
    """Where a mirror is after a run with something of everything, its report, and what it had mirrored before."""
    folder = tmp_path_factory.mktemp("good-run")
    mirror = bench(one_archive, folder)
    mirror.run(devices=(DEVICE,))
    kept = frozenset(mirror.objects("raw/").values())
    replace_files(mirror)
    report = mirror.run(devices=(DEVICE,))
    assert (len(kept), report.mirrored, report.quarantined) == (2, 1, 1)
    return folder, report, kept


@pytest.mark.parametrize("told", TAMPERINGS)
def test_what_is_not_as_promised_is_told(
    archive: RunningArchive, good_run: tuple[Path, RunReport, frozenset[str]], tmp_path: Path, told: str
) -> None:
    folder, report, kept = good_run
    shutil.copytree(folder, tmp_path, dirs_exist_ok=True)
    mirror = bench(archive, tmp_path)
    replace_files(mirror)
    since = NOON - timedelta(hours=2)
    good = broken_promises(look_around(archive, mirror.settings, report), since=since, kept=kept)

    TAMPERINGS[told](mirror, report)
    found = broken_promises(look_around(archive, mirror.settings, report), since=since, kept=kept)

    assert good == []
    assert any(told in line for line in found), found
