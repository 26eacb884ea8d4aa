"""Which runs say that the hourly mirror lives, and which are somebody's own."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from onc_mirror.flow_names import HOURLY, ON_DEMAND
from onc_mirror.model import TimeWindow
from onc_mirror.run.gathering import MirrorRequest
from onc_mirror.selection import Selection

NOON = datetime(2026, 11, 22, 12, tzinfo=UTC)
DAY = TimeWindow(NOON - timedelta(hours=12), NOON + timedelta(hours=12))


@pytest.mark.parametrize(
    "asked", [{}, {"devices": ("TUMLIDAR001",)}, {"locations": ("STR2",)}, {"categories": ("LIDAR",)}], ids=str
)
def test_a_run_that_goes_on_from_the_watermarks_is_an_hourly_one_whatever_its_devices(asked: dict[str, Any]) -> None:
    assert MirrorRequest(**asked).flow == HOURLY


@pytest.mark.parametrize(
    "asked",
    [{"since": NOON}, {"until": NOON}, {"data": DAY}, {"only": ()}, {"selection": Selection()}],
    ids=["since", "until", "data", "files", "some files"],
)
def test_a_run_over_a_window_or_files_that_somebody_chose_is_none(asked: dict[str, Any]) -> None:
    assert MirrorRequest(**asked).flow == ON_DEMAND
