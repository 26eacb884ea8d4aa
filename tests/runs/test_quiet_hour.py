"""A run with nothing to transfer: it looks at the store all the same, and writes nothing there."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING

import pytest

from onc_mirror.errors import BucketMissingError

if TYPE_CHECKING:
    from pathlib import Path

    from tests.support.mirrors import Bench

DEVICE = "TUMSTANDARDMODULE001"


def test_a_store_that_is_lost_in_a_quiet_hour_is_told(mirror: Bench, tmp_path: Path) -> None:
    assert mirror.run(devices=(DEVICE,)).mirrored == 2
    quiet = mirror.run(devices=(DEVICE,))
    (tmp_path / "bucket").rename(tmp_path / "lost")

    with pytest.raises(BucketMissingError, match="create or mount it"):
        mirror.run(devices=(DEVICE,))

    assert (quiet.mirrored, quiet.exit_code) == (0, 0)
    assert not (tmp_path / "bucket").exists()
    with mirror.open() as parts:
        assert sorted(run.state for run in parts.ledger.runs(3)) == ["completed", "completed", "failed"]


def test_another_bucket_than_the_ledger_s_is_told_before_anything_goes_there(mirror: Bench, tmp_path: Path) -> None:
    assert mirror.run(devices=("TUMPMTSPECTROMETER001", DEVICE)).mirrored == 12
    (tmp_path / "other").mkdir()
    first = mirror.settings
    mirror.settings = first.model_copy(update={"store_url": f"file://{tmp_path / 'other'}"})

    with pytest.raises(BucketMissingError, match=r"none of the 4 newest objects .* ONC_MIRROR_STORE_URL"):
        mirror.run(devices=("TUMPMTSPECTROMETER001", DEVICE))

    assert list((tmp_path / "other").rglob("*.hdf5")) == []
    mirror.settings = first
    assert mirror.run(devices=("TUMPMTSPECTROMETER001", DEVICE)).exit_code == 0


def test_a_bucket_that_was_copied_elsewhere_is_the_same(mirror: Bench, tmp_path: Path) -> None:
    mirror.run(devices=("TUMPMTSPECTROMETER001",))
    shutil.copytree(tmp_path / "bucket", tmp_path / "other")
    mirror.settings = mirror.settings.model_copy(update={"store_url": f"file://{tmp_path / 'other'}"})

    assert mirror.run(devices=("TUMPMTSPECTROMETER001",)).exit_code == 0


def test_two_objects_deleted_by_hand_do_not_stop_a_run(mirror: Bench, tmp_path: Path) -> None:
    mirror.run(devices=(DEVICE,))
    for path in (tmp_path / "bucket" / "raw").rglob("*.hdf5"):
        path.unlink()

    assert mirror.run(devices=(DEVICE,)).exit_code == 0
