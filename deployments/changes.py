"""What a Prefect server holds against what is declared, as changes that would make them the same."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from onc_mirror.wording import shortened

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

Action = Literal["create", "update", "delete"]

_LONGEST = 60
_MOST = 5


@dataclass(frozen=True, slots=True)
class Difference:
    """A field that is not as declared.

    Attributes:
        field: Its name.
        was: What the server has.
        becomes: What is declared.
    """

    field: str
    was: Any
    becomes: Any


@dataclass(frozen=True, slots=True)
class Change:
    """Something that the server has to be told.

    Attributes:
        kind: What it is, such as `deployment`.
        name: Its name.
        action: What is to be done.
        apply: Does it. Harmless to repeat.
        differences: What differs, of an update.
    """

    kind: str
    name: str
    action: Action
    apply: Callable[[], object]
    differences: tuple[Difference, ...] = ()


@dataclass(frozen=True, slots=True)
class Plan:
    """How one kind of thing stands.

    Attributes:
        changes: What is to be done.
        unchanged: How many are as declared.
        notes: What else people should know.
    """

    changes: tuple[Change, ...]
    unchanged: int
    notes: tuple[str, ...] = ()


def differences(declared: Mapping[str, Any], present: Mapping[str, Any]) -> tuple[Difference, ...]:
    """The declared fields that are not so; what is not declared may be as it likes.

    >>> differences({"cron": "10 * * * *"}, {"cron": "5 * * * *", "active": False})
    (Difference(field='cron', was='5 * * * *', becomes='10 * * * *'),)
    """
    return tuple(
        Difference(field, present.get(field), value)
        for field, value in declared.items()
        if present.get(field) != value
    )


def told(change: Change) -> str:
    """What differs, for people: where, what is there and what is declared; the first of many, long ones cut.

    >>> schedules = Difference("schedules", {"hourly": {"cron": "10 * * * *"}}, {"hourly": {"cron": "20 * * * *"}})
    >>> told(Change("deployment", "mirror-hour/hourly", "update", print, (schedules,)))
    'schedules.hourly.cron: 10 * * * * -> 20 * * * *'
    """
    found = [leaf for one in change.differences for leaf in leaves(one)]
    text = "; ".join(map(_sentence, found[:_MOST]))
    return text + (f"; and {len(found) - _MOST} more, see --json" if len(found) > _MOST else "")


def _sentence(one: Difference) -> str:
    if one.was == one.becomes:  # masked
        return one.field
    return f"{one.field}: {_text(one.was)} -> {_text(one.becomes)}"


def _text(value: Any) -> str:
    if value is None:
        return "nothing"
    return shortened(value if isinstance(value, str) else json.dumps(value, default=str), _LONGEST)


def leaves(one: Difference) -> Iterator[Difference]:
    """Where within a field the difference is; None stands for what is not there.

    >>> [each.field for each in leaves(Difference("limit", {"a": [1, 2], "b": 3}, {"a": [1, 5], "b": 3, "c": 4}))]
    ['limit.a.1', 'limit.c']
    """
    if isinstance(one.was, Mapping) and isinstance(one.becomes, Mapping):
        keys = [*one.was, *(key for key in one.becomes if key not in one.was)]
        pairs = [(key, one.was.get(key), one.becomes.get(key)) for key in keys]
    elif isinstance(one.was, list) and isinstance(one.becomes, list) and len(one.was) == len(one.becomes):
        pairs = [(number, *pair) for number, pair in enumerate(zip(one.was, one.becomes, strict=True))]
    else:
        yield one
        return
    for key, was, becomes in pairs:
        if was != becomes:
            yield from leaves(Difference(f"{one.field}.{key}", was, becomes))
