"""The comparison over any worlds: complete, consistent, blind to order; equal worlds have no difference."""

from __future__ import annotations

import random
import time
from collections import Counter
from dataclasses import replace
from typing import Any

import pandas as pd
from hypothesis import given
from hypothesis import strategies as st

from onc_mirror.layout import mirrored_key
from onc_mirror.model import StoredObject
from onc_mirror.reconcile.comparing import compare
from onc_mirror.reconcile.standing import Sign, Standing
from tests.support.archive_files import archive_file, bounded
from tests.support.worlds import NOW, Scene, entry, stored

FILES = [archive_file(number) for number in range(4)]
STATES = ("mirrored", "held", "quarantined", "filtered", "listed", "gone")
STRANGE_KEY = "raw/TUMLIDAR001/2026/11/22/notes.txt"

WHERE = {
    (True, True): {Sign.SAME, Sign.DIFFERS},
    (True, False): {Sign.ONLY_ARCHIVE},
    (False, True): {Sign.ONLY_BUCKET, Sign.ERROR},
    (False, False): {Sign.SAME, Sign.ERROR},
}

_objects = st.sampled_from(["none", "good", "short", "other", "unsaid"])
_facts = st.tuples(
    st.sampled_from(["unlisted", "listed", "replaced"]), st.sampled_from([None, *STATES]), _objects, st.booleans()
)


@st.composite
def scenes(draw: st.DrawFn) -> Scene:
    """Any mix of what can be in archive, ledger and bucket."""
    made = Scene(watermark=draw(st.sampled_from([None, NOW, FILES[1].archived_at])))
    made.began_at = draw(st.sampled_from([None, FILES[0].begins_at, NOW]))
    for file in FILES:
        listed, state, held, moving = draw(_facts)
        if listed != "unlisted":
            made.archive.append(replace(file, stored_bytes=7, modified_at=NOW) if listed == "replaced" else file)
        if state is not None:
            made.ledger[file.filename] = entry(file, state)
        if moving:
            made.later[file.filename] = entry(file, draw(st.sampled_from(STATES)), revision=2)
        if (found := _object(held, stored(file))) is not None:
            made.bucket[found.key] = found
    if draw(st.booleans()):
        made.bucket[STRANGE_KEY] = StoredObject(STRANGE_KEY, 3, {})
    return made


def _object(held: str, good: StoredObject) -> StoredObject | None:
    changes: dict[str, dict[str, Any]] = {
        "good": {},
        "short": {"size_bytes": 1},
        "other": {"metadata": {"sha256": "ff" * 32}},
        "unsaid": {"metadata": {}},
    }
    return None if held == "none" else replace(good, **changes[held])


@bounded
@given(made=scenes())
def test_every_file_and_every_object_gets_exactly_one_sign_and_the_numbers_add_up(made: Scene) -> None:
    rows = made.compared()

    files = {file.filename for file in made.archive} | set(made.ledger)
    of_files = rows[rows["standing"].ne(Standing.UNKNOWN_OBJECT)]
    strangers = rows[rows["standing"].eq(Standing.UNKNOWN_OBJECT)]
    assert Counter(of_files["filename"]) == Counter(files)
    assert set(rows["sign"]) <= set(Sign)
    assert set(rows["standing"]) <= set(Standing)
    theirs = {mirrored_key(file) for file in FILES if file.filename in files}
    theirs |= {str(one["key"]) for one in made.later.values() if one.get("key")}
    assert set(strangers["key"]) == set(made.bucket) - theirs
    assert rows["listed"].sum() == len(made.archive)
    settled = rows[~rows["standing"].eq(Standing.CHANGING)]
    for sign, *where in zip(*(settled[name] for name in ("sign", "listed", "present")), strict=True):
        assert sign in WHERE[bool(where[0]), bool(where[1])]


@bounded
@given(made=scenes(), seed=st.integers())
def test_the_order_of_rows_and_objects_changes_nothing(made: Scene, seed: int) -> None:
    shuffle = random.Random(seed).sample  # noqa: S311 - not for secrets
    other = replace(
        made,
        archive=shuffle(made.archive, len(made.archive)),
        ledger=dict(shuffle(list(made.ledger.items()), len(made.ledger))),
        bucket=dict(shuffle(list(made.bucket.items()), len(made.bucket))),
    )

    columns = ["filename", "key", "sign", "standing", "detail", "size_bytes"]
    pd.testing.assert_frame_equal(made.compared()[columns], other.compared()[columns])


@bounded
@given(numbers=st.sets(st.integers(0, 30)))
def test_equal_worlds_have_no_difference(numbers: set[int]) -> None:
    made = Scene()
    for number in numbers:
        made.mirror(archive_file(number))

    rows = made.compared()

    assert set(rows["sign"]) <= {Sign.SAME}
    assert set(rows["standing"]) <= {Standing.SAME}


@bounded
@given(made=scenes())
def test_a_repaired_world_has_no_difference_left_but_what_no_run_can_repair(made: Scene) -> None:
    made.later = {}
    repair(made)

    left = {name for name in made.compared()["standing"] if Standing(name).is_difference}

    assert left <= {Standing.UNKNOWN_OBJECT}


def repair(made: Scene) -> None:
    """Do to a world what a reconcile does: fetch what is to be fetched, note what is gone."""
    rows = made.compared()
    for name, standing, listed in zip(rows["filename"], rows["standing"], rows["listed"], strict=True):
        if not Standing(standing).is_difference or standing == Standing.UNKNOWN_OBJECT:
            continue
        if listed:
            (file,) = [one for one in made.archive if one.filename == name]
            made.ledger[name] = entry(file)
            made.bucket[mirrored_key(file)] = stored(file)
        else:
            made.ledger[name] |= {"state": "gone"}


def test_comparing_costs_microseconds_per_file() -> None:
    made = Scene()
    for number in range(10_000):
        made.mirror(archive_file(number))
    worlds = made.worlds()

    began = time.process_time()
    rows = compare(worlds, watermark=NOW, began_at=None)

    assert len(rows) == 10_000
    assert time.process_time() - began < 1
