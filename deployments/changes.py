"""What a Prefect server holds against what is declared, as changes that would make them the same."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

Action = Literal["create", "update", "delete"]


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
