"""A history of a small world, made of any of the rules in any order."""

from __future__ import annotations

from tests.model.flow_rules import FlowRules
from tests.model.overlap_rules import OverlapRules
from tests.model.run_rules import RunRules
from tests.model.trouble_rules import TroubleRules

FEW, MANY = 8, 3000
"""Histories of a run of all tests, and of a long one."""
STEPS = 25
"""The most in a history."""


class History(OverlapRules, TroubleRules, RunRules, FlowRules):
    """All groups of rules."""
