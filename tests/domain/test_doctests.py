"""The examples in the docstrings are the specification of pure functions; they all run here."""

from __future__ import annotations

import doctest
import importlib
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


def modules_with_examples() -> list[str]:
    paths = sorted((ROOT / "onc_mirror").rglob("*.py"))
    return [".".join(path.relative_to(ROOT).with_suffix("").parts) for path in paths if ">>> " in path.read_text()]


def test_there_are_examples() -> None:
    assert len(modules_with_examples()) > 5


@pytest.mark.parametrize("name", modules_with_examples())
def test_examples_hold(name: str) -> None:
    found = doctest.testmod(importlib.import_module(name.removesuffix(".__init__")))

    assert found.attempted
    assert not found.failed
