"""What the settings left out and want by now is fetched later, however long ago it was listed."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

import pytest

from infra.sandbox.archive.sea import Span
from infra.sandbox.archive.times import to_ms
from onc_mirror.run import plans
from onc_mirror.selection import Selection
from tests.support.mirrors import DEVICE, bench

if TYPE_CHECKING:
    from pathlib import Path

    from tests.support.archive import RunningArchive
    from tests.support.mirrors import Bench

OTHER = "TUMSTANDARDMODULE001"


@pytest.fixture
def mirror(archive: RunningArchive, tmp_path: Path, ledger_url: str) -> Bench:
    """A mirror with its ledger in each of the databases, whose next window lists nothing of the one before."""
    return bench(archive, tmp_path, ledger_url=ledger_url, overlap=timedelta(0))


def widen(mirror: Bench, *extensions: str) -> None:
    mirror.settings = mirror.settings.model_copy(update={"extensions": extensions})


def filtered(mirror: Bench, code: str = DEVICE) -> set[str]:
    return {name for name, (state, _) in mirror.ledger_states(code).items() if state == "filtered"}


def mirrored(mirror: Bench, code: str = DEVICE) -> set[str]:
    return {name for name, (state, _) in mirror.ledger_states(code).items() if state == "mirrored"}


def test_a_wider_extension_fetches_what_no_window_lists_any_more(mirror: Bench) -> None:
    mirror.run(devices=(DEVICE,))
    left_out = filtered(mirror)
    texts = {name for name in left_out if name.endswith(".txt")}
    assert texts
    assert texts < left_out
    mirror.turn(mirror.now + timedelta(minutes=1))
    assert mirror.run(devices=(DEVICE,)).listed < len(texts)
    assert left_out <= filtered(mirror)
    widen(mirror, "hdf5", "TXT")

    report = mirror.run(devices=(DEVICE,))

    assert texts <= mirrored(mirror)
    assert left_out - texts <= filtered(mirror)
    mirror.assert_promises_hold(report)
    mirror.archive.forget_requests()
    assert mirror.run(devices=(DEVICE,)).mirrored == 0
    assert not mirror.archive.requests_for("download")


def test_a_run_takes_up_a_bounded_number_the_newest_first(mirror: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    mirror.run(devices=(DEVICE,), since=mirror.now - timedelta(hours=4))
    texts = sorted(name for name in filtered(mirror) if name.endswith(".txt"))
    assert {name[31:33] for name in texts} > {"10", "11"}
    mirror.turn(mirror.now + timedelta(minutes=1))
    widen(mirror, "hdf5", "txt")
    monkeypatch.setattr(plans, "WIDENED_AT_ONCE", 3)

    mirror.run(devices=(DEVICE,))
    first = set(texts) & mirrored(mirror)
    mirror.run(devices=(DEVICE,))

    assert len(first) == 3
    assert {name for name in texts if "T11" in name} <= first
    assert not {name for name in first if "T09" in name}
    assert len(set(texts) & mirrored(mirror)) == min(len(texts), 6)


def test_what_a_person_leaves_out_is_not_noted_as_filtered(mirror: Bench) -> None:
    mirror.run(devices=(DEVICE,), selection=Selection(extensions=frozenset({"hdf5"}), name_pattern="no-such*"))

    assert filtered(mirror) == set()
    report = mirror.run(devices=(DEVICE,))
    assert mirrored(mirror)
    mirror.assert_promises_hold(report)


def test_a_narrowed_run_takes_up_nothing_that_the_settings_left_out(mirror: Bench) -> None:
    mirror.run(devices=(DEVICE,))
    left_out = filtered(mirror)
    widen(mirror, "hdf5", "txt")

    mirror.run(devices=(DEVICE,), selection=Selection(name_pattern="no-such*"))
    mirror.run(devices=(DEVICE,), since=mirror.now - timedelta(seconds=1))

    assert {name for name in left_out if name.endswith(".txt")} & filtered(mirror)


def test_a_device_that_was_left_out_is_caught_up_with_from_where_it_stood(mirror: Bench) -> None:
    mirror.run(devices=(DEVICE, OTHER))
    before = mirrored(mirror, OTHER)
    for _ in range(3):
        mirror.turn(mirror.now + timedelta(hours=2))
        mirror.run(devices=(DEVICE,))
    left_out = {
        row["filename"]
        for row in mirror.archive.rows(
            OTHER, extension="hdf5", archived=Span(since=to_ms(mirror.now - timedelta(hours=6)))
        )
    }
    assert mirrored(mirror, OTHER) == before
    assert left_out - before

    report = mirror.run(devices=(DEVICE, OTHER))

    assert left_out <= mirrored(mirror, OTHER)
    mirror.assert_promises_hold(report)
