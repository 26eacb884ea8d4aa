"""The mirror in many histories of a small world: whatever happens, in whatever order, the promises hold.

`make test` plays the same histories every time, so that a failure there comes from the change at hand. With
`ONC_MIRROR_TEST_LONG=1` other histories are played in every run, and many more.
"""

from __future__ import annotations

import os

import pytest
from hypothesis import HealthCheck, settings

from tests.model.history import FEW, MANY, STEPS, History

LONG = os.environ.get("ONC_MIRROR_TEST_LONG") == "1"
LONG_S = 4 * 3600


TestHistory = pytest.mark.timeout(LONG_S if LONG else 600)(History.TestCase)
TestHistory.settings = settings(
    max_examples=MANY if LONG else FEW,
    stateful_step_count=STEPS,
    derandomize=not LONG,
    deadline=None,
    print_blob=True,
    suppress_health_check=list(HealthCheck),
)
