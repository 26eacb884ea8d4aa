"""What people read of a change that a deploy would make."""

from __future__ import annotations

from deployments.changes import Change, Difference, told
from onc_mirror.redacting import MASK


def text_of(*differences: Difference) -> str:
    return told(Change("deployment", "a/b", "update", print, differences))


def test_a_difference_is_told_by_its_place_with_both_values() -> None:
    was = {"since": {"type": "string", "format": "date-time"}, "devices": {"items": ["A", "B"]}, "old": 1}
    becomes = {"since": {"type": "string", "format": "date"}, "devices": {"items": ["A", "C"]}}

    assert text_of(Difference("schema", was, becomes)) == (
        "schema.since.format: date-time -> date; schema.devices.items.1: B -> C; schema.old: 1 -> nothing"
    )


def test_lists_of_other_lengths_are_told_whole_and_long_values_are_cut() -> None:
    told_of = text_of(Difference("tags", ["a"], ["a", "b"]), Difference("description", "a", "b" * 100))

    assert told_of == f'tags: ["a"] -> ["a", "b"]; description: a -> {"b" * 60}...'


def test_many_differences_are_counted() -> None:
    told_of = text_of(Difference("fields", dict.fromkeys("abcdefgh", 1), dict.fromkeys("abcdefgh", 2)))

    assert told_of.endswith("fields.e: 1 -> 2; and 3 more, see --json")


def test_of_a_secret_only_its_place_is_told() -> None:
    assert text_of(Difference("secrets", MASK, MASK)) == "secrets"
