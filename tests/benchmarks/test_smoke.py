"""The harnesses run; what they measure is not looked at here."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from benchmarks import compare, memory
from benchmarks.contenders import CONTENDERS

if TYPE_CHECKING:
    from pathlib import Path

    import pytest


def test_memory_is_measured_for_a_small_and_a_large_file(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code = memory.main(
        ["--bytes", "2MB", "--store", "file", "--folder", str(tmp_path), "--json", str(tmp_path / "figures.json")]
    )

    small, large = json.loads((tmp_path / "figures.json").read_text())
    assert code == 0
    assert "PASS" in capsys.readouterr().out
    assert small["file_bytes"] < 100_000 < large["file_bytes"]
    assert min(large["mirror_peak_bytes"], large["validation_peak_bytes"]) > 10_000_000


def test_every_contender_brings_files_that_come_late(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    # Far files are small ones that take longer to come; those of other sizes take the same way.
    few = ["--sizes", "far", "--rounds", "1", "--small-files", "2", "--far-files", "1", "--far-delay", "0.01"]

    compare.main([*few, "--folder", str(tmp_path), "--json", str(tmp_path / "figures.json")])

    figures = json.loads((tmp_path / "figures.json").read_text())
    expected = {(one.name, "far") for one in CONTENDERS}
    assert {(run["contender"], run["size"]) for run in figures["runs"]} == expected
    assert all(run["wall_s"] > 0 and run["cpu_s"] > 0 and run["main_peak_bytes"] > 0 for run in figures["runs"])
    assert figures["starts"]["first_request_s"] > 0
    assert "files/s" in capsys.readouterr().out
