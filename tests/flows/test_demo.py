"""What `make demo` shows of its run."""

from __future__ import annotations

import re
from io import StringIO
from typing import TYPE_CHECKING

from rich.console import Console

from infra.sandbox.demo import mirror_one_hour, print_farewell, print_summary

if TYPE_CHECKING:
    from infra.sandbox.up import Sandbox


def test_the_demo_counts_against_the_plan_and_ends_without_the_url_of_anything_that_stops(sandbox: Sandbox) -> None:
    said = StringIO()
    console = Console(file=said, width=200)

    run = mirror_one_hour(sandbox, console)
    print_summary(sandbox, run, console)
    print_farewell(sandbox, console)

    text = said.getvalue()
    sentence = re.search(r"Completed (Nothing new: )?\d+ files of 10 devices listed, archived up to \S+: ", text)
    assert run.is_completed
    assert sentence, text
    progress, summary = text[: sentence.start()], text[sentence.end() :]
    # At ten past the schedule's own run may have left it nothing to do.
    planned = sum(row["files"] for row in sandbox.orchestrator.table_artifact(run.id, "mirror-hour-plan"))
    assert set(re.findall(r"\d+ of (\d+) files", progress)) == ({str(planned)} if planned else set())
    assert re.search(r"s3://onc-mirror/raw now has \d{2,} files with ", summary)
    assert "http" not in summary
    assert str(sandbox.options.state) in summary
