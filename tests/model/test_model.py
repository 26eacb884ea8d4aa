"""The mirror in many histories of a small world: whatever happens, in whatever order, the promises hold.

`make test` plays the same histories every time, so that a failure there comes from the change at hand. With
`ONC_MIRROR_TEST_LONG=1` other histories are played in every run, and many more.
"""

from __future__ import annotations

import os

import pytest
from hypothesis import HealthCheck, settings

from tests.model.flow_rules import FlowRules
from tests.model.overlap_rules import OverlapRules
from tests.model.run_rules import RunRules
from tests.model.trouble_rules import TroubleRules

LONG = os.environ.get("ONC_MIRROR_TEST_LONG") == "1"
LONG_S = 4 * 3600


class History(OverlapRules, TroubleRules, RunRules, FlowRules):
    """Any of the rules, in any order."""


TestHistory = pytest.mark.timeout(LONG_S if LONG else 600)(History.TestCase)
TestHistory.settings = settings(
    max_examples=3000 if LONG else 10,
    stateful_step_count=25,
    derandomize=not LONG,
    deadline=None,
    print_blob=True,
    suppress_health_check=list(HealthCheck),
)
