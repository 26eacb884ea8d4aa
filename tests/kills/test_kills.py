"""A mirror is killed with SIGKILL, and a plain restart brings everything to where it would have been anyway.

`python -m tests.kills` does it at every boundary, and as often as it is told at random moments.
"""

from __future__ import annotations

import random
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from onc_mirror.ledger import Ledger
from onc_mirror.ledger.leases import Leases
from tests.kills.places import FEW, Place
from tests.support.effects import Boundary, ledger_effects, store_effects

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.kills.experiments import Experiment

# One moment of each kind; of several alike, that in the middle. A test below tells when a kind is missing.
ANYWHERE = (
    "after ledger.start_run",
    "after ledger.record_listed",
    "after leases.claim",
    "before download.read",
    "before disk.scratch.rename",
    "after validation.send",
    "after store.publish",
    "after ledger.record",
    "after store.copy",
    "before store.delete",
    "after ledger.advance_watermark",
    "after ledger.finish_run",
)
IN_S3 = (
    "before s3.body",
    "after s3.put_object",
    "after s3.upload_part",
    "after s3.complete_multipart_upload",
)
IN_FOLDERS = ("before disk.bucket.rename",)
IN_BACKFILLS = ("after leases.take_slots", "after ledger.record", "before leases.return_slots")

# What is in the list of effects and in none of the killed runs, and where it is instead.
ELSEWHERE = {
    "leases.renew": "runs longer than a third of a lease",
    "ledger.try_writing": "the doctor",
    "store.abort_upload": "scrubs",
}
BACKFILLS = [replace(FEW[0], flow="backfill")]


def cases() -> list[tuple[Place, str]]:
    """Go round the places with the kinds of moments."""
    buckets = [place for place in FEW if place.store != "file"]
    folders = [place for place in FEW if place.store == "file"]
    # A kill on servers takes three times as long as one on files.
    spread = (
        (ANYWHERE, [*folders, *buckets[:1], *folders, *folders, *buckets[1:]]),
        (IN_S3, buckets),
        (IN_FOLDERS, folders),
        (IN_BACKFILLS, BACKFILLS),
    )
    found = [
        (places[number % len(places)], kind)
        for kinds, places in spread
        if places
        for number, kind in enumerate(kinds)
    ]
    return sorted(found, key=lambda case: str(case[0]))


def in_the_middle(trace: list[Boundary], kind: str) -> Boundary:
    """Choose among the boundaries of a kind; those of files know no after, but the next effect is there at once."""
    side, effect = kind.split(" ")
    found = [number for number, one in enumerate(trace) if one.effect == effect and one.side in {side, "before"}]
    assert found, f"No run passes {kind}."
    boundary = trace[found[len(found) // 2]]
    if side == boundary.side:
        return boundary
    after = Boundary("after", effect, boundary.number)
    return after if after in trace else trace[found[len(found) // 2] + 1]


@pytest.mark.parametrize(("experiment", "kind"), cases(), indirect=["experiment"], ids=str)
def test_a_run_killed_at_a_boundary_is_finished_by_the_next(experiment: Experiment, kind: str) -> None:
    boundary = in_the_middle(experiment.trace, kind)

    aftermath = experiment.kill_at(boundary)

    assert aftermath.killed, f"{boundary} was not reached"
    assert not aftermath.wrong


@pytest.mark.parametrize("experiment", FEW, indirect=True, ids=str)
def test_a_run_killed_at_any_moment_is_finished_by_the_next(experiment: Experiment) -> None:
    seconds = random.uniform(0, experiment.usual_s)  # noqa: S311 - no secret hangs on it
    with_children = random.choice([False, True])  # noqa: S311 - as above

    aftermath = experiment.kill_after(seconds, with_children=with_children)

    assert not aftermath.wrong, f"killed after {seconds:.3f} s, {with_children=}"


@pytest.mark.parametrize("experiment", FEW[:1], indirect=True, ids=str)
def test_a_validation_process_killed_by_somebody_costs_no_file(experiment: Experiment) -> None:
    aftermath = experiment.kill_a_validation()

    assert not aftermath.killed
    assert not aftermath.wrong


def test_the_killed_runs_pass_every_way_there_is_to_write(experiments: Callable[[Place], Experiment]) -> None:
    ways = {f"store.{name}" for name in store_effects()}
    ways |= {f"ledger.{name}" for name in ledger_effects(Ledger)} | {
        f"leases.{name}" for name in ledger_effects(Leases)
    }
    killed = [experiments(place) for place in (FEW[0], *BACKFILLS)]
    passed = {boundary.effect for experiment in killed for boundary in experiment.trace}

    assert len(ways) > 10
    assert ways - ELSEWHERE.keys() <= passed
    assert ELSEWHERE.keys() <= ways
