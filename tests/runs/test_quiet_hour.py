"""A run with nothing to transfer: it looks at the store all the same, and writes nothing there."""

from __future__ import annotations

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
