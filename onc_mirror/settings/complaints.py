"""What is wrong with settings, a line each: the variable, what it must be, and what it is unless that is secret."""

from __future__ import annotations

import difflib
import os
import re
from datetime import timedelta
from typing import TYPE_CHECKING, Any, get_args

import isodate
from pydantic import ByteSize, HttpUrl

from onc_mirror.settings.secrets import is_secret
from onc_mirror.wording import printable

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from pydantic.fields import FieldInfo

_TAKES_ANYTHING = "ONC_MIRROR_STORE_URL"
"""What is pasted for it may be a key."""

_FOR_TESTS = "ONC_MIRROR_TEST_"
_LONGEST = 60
_LONGEST_WORD = 24
"""Of numbers, durations and names. A longer one that is no path or URL may be a token that was pasted for it."""

_KINDS: Mapping[Any, str] = {
    int: "a whole number",
    float: "a number",
    ByteSize: "a size such as 20GiB",
    timedelta: "an ISO 8601 duration such as PT6H",
    HttpUrl: "a URL that begins with https://",
}
_BOUNDS = {"ge": "at least", "gt": "above", "le": "at most"}
_BINARY = ((2**30, "GiB"), (2**20, "MiB"))


def complaint(variable: str, problem: Mapping[str, Any], field: FieldInfo | None) -> str:
    """Say what is wrong with a setting.

    Args:
        variable: The environment variable.
        problem: What pydantic says.
        field: The setting; None when it is about none.
    """
    if problem["type"] == "missing" and field is not None:
        return f"{variable}: is not set ({field.description})"
    if problem["type"] == "value_error":
        text = problem["msg"].removeprefix("Value error, ")
    elif problem["type"] in {"enum", "literal_error"}:
        text = f"must be one of {problem['ctx']['expected']}"
    elif problem["type"] == "too_short":
        text = "must not be empty"
    elif problem["type"] == "too_long":
        text = f"must have no more than {problem['ctx']['max_length']} entries"
    elif field is not None and (kind := _kind(field)) is not None:
        text = f"must be {kind}{_bounds(field)}"
    else:
        text = problem["msg"]
    hidden = variable == _TAKES_ANYTHING or (field is not None and is_secret(field))
    return f"{variable}: {text}{'' if hidden else _given(variable, problem.get('input'), text)}"


def unknown_variables(environment: Iterable[str], prefix: str, known: Iterable[str]) -> list[str]:
    """Say of each variable that begins like a setting, and is none, that it does nothing, and which may be meant.

    >>> unknown_variables(["ONC_MIRROR_CONCURENCY"], "ONC_MIRROR_", ["ONC_MIRROR_CONCURRENCY"])
    ['ONC_MIRROR_CONCURENCY is no setting and changes nothing. Is ONC_MIRROR_CONCURRENCY meant?']
    """
    meant_by = {name.removeprefix(prefix).removeprefix("ONC_"): name for name in sorted(known)}
    strangers = sorted(name for name in environment if name.startswith(prefix) and not name.startswith(_FOR_TESTS))
    said = []
    for name in strangers:
        if name not in meant_by.values():
            near = difflib.get_close_matches(name.removeprefix(prefix), meant_by, n=1)
            meant = f"Is {meant_by[near[0]]} meant?" if near else "The README lists them all."
            said.append(f"{printable(name)} is no setting and changes nothing. {meant}")
    return said


def _kind(field: FieldInfo) -> str | None:
    several = [kind for kind in get_args(field.annotation) if kind in _KINDS]
    if field.annotation in _KINDS:
        return _KINDS[field.annotation]
    if not several:
        return None
    return _KINDS[several[0]] if type(None) in get_args(field.annotation) else f"{_KINDS[several[0]]}, or several"


def _bounds(field: FieldInfo) -> str:
    told = [
        f"{word} {_bound(getattr(rule, name), field.annotation)}"
        for rule in field.metadata
        for name, word in _BOUNDS.items()
        if getattr(rule, name, None) is not None
    ]
    return f", {' and '.join(told)}" if told else ""


def _bound(value: Any, kind: Any) -> str:
    if isinstance(value, timedelta):
        return str(isodate.duration_isoformat(value))
    for size, unit in _BINARY if kind is ByteSize else ():
        if value >= size and value % size == 0:
            return f"{value // size}{unit}"
    return str(value)


def _given(variable: str, value: Any, text: str) -> str:
    value = os.environ.get(variable, value)
    if value is None or isinstance(value, dict):
        return ""
    value = value if isinstance(value, str) else str(value)
    if any(len(word) > _LONGEST_WORD and "/" not in word for word in re.split(r"[\s,]+", value)):
        return ", not what is set (so long that it may be a secret)"
    shown = repr(value)
    # What has an @ may be an address with a password in it.
    return (
        ""
        if shown in text or text.startswith(value) or "@" in shown
        else f", not {shown[:_LONGEST]}{'...' * (len(shown) > _LONGEST)}"
    )
