"""Who is to be told what, by what they were told before. Pure."""

from __future__ import annotations

import enum
from dataclasses import dataclass
from typing import TYPE_CHECKING

from onc_mirror.alerts.causes import Cause
from onc_mirror.ledger.alerts import Telling

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Sequence
    from datetime import datetime, timedelta

    from onc_mirror.ledger.alerts import Alert


class Kind(enum.StrEnum):
    """Why somebody is told."""

    OPENED = "opened"
    MORE = "more"
    REMINDER = "reminder"
    ENDED = "ended"
    TEST = "test"


@dataclass(frozen=True, slots=True)
class Message:
    """What a receiver is told at once: one thing of one cause, whatever number of devices it is about.

    Attributes:
        kind: Why.
        cause: The cause; None for a test.
        alerts: The alerts, by subject; none for a test.
    """

    kind: Kind
    cause: Cause | None
    alerts: tuple[Alert, ...] = ()


def due_messages(
    alerts: Iterable[Alert], told: Iterable[Telling], *, now: datetime, reminder: timedelta
) -> tuple[Message, ...]:
    """What one receiver is to be told.

    Args:
        alerts: All alerts.
        told: What this receiver was told last of each.
        now: The moment.
        reminder: After how long an open alert is told again.

    Returns:
        One message per cause and kind, what ended last.
    """
    before = {one.key: one for one in told}
    groups: dict[tuple[Kind, Cause], list[Alert]] = {}
    for alert in sorted(alerts, key=lambda one: one.key):
        cause = known_cause(alert)
        kind = cause and _due(alert, cause, before.get(alert.key), now, reminder)
        if cause and kind:
            groups.setdefault((kind, cause), []).append(alert)
    kinds, causes = list(Kind), list(Cause)
    ordered = sorted(groups, key=lambda one: (kinds.index(one[0]), causes.index(one[1])))
    return tuple(Message(kind, cause, tuple(groups[kind, cause])) for kind, cause in ordered)


def known_cause(alert: Alert) -> Cause | None:
    """The cause of an alert; None when another version of the mirror entered it."""
    return Cause(alert.cause) if alert.cause in set(Cause) else None


def tellings_of(message: Message, receiver: str, now: datetime) -> tuple[Telling, ...]:
    """What is noted when a receiver took a message."""
    return tuple(Telling(one.cause, one.subject, receiver, now, one.count, one.latest) for one in message.alerts)


def all_told(alerts: Iterable[Alert], told: Sequence[Telling], receivers: Collection[str]) -> tuple[Alert, ...]:
    """The alerts that are over, and of which no receiver is to be told anything more."""
    waiting = {one.key for one in told if one.receiver in receivers}
    heard = {name: {one.key for one in told if one.receiver == name} for name in receivers}
    return tuple(alert for alert in alerts if alert.ended_at and _is_done(alert, waiting, heard.values()))


def _is_done(alert: Alert, waiting: Collection[tuple[str, str]], heard: Iterable[set[tuple[str, str]]]) -> bool:
    cause = known_cause(alert)
    if cause is not None and not cause.recovers and alert.opened_at is not None:
        return all(alert.key in keys for keys in heard)
    return alert.key not in waiting


def _due(alert: Alert, cause: Cause, told: Telling | None, now: datetime, reminder: timedelta) -> Kind | None:
    if alert.opened_at is None:
        return None
    if alert.ended_at is not None:
        if cause.recovers:
            return Kind.ENDED if told else None
        return None if told else Kind.OPENED
    if told is None:
        return Kind.OPENED
    if cause.grows and (alert.count > told.count or alert.latest > told.latest):
        return Kind.MORE
    return Kind.REMINDER if cause.reminds and now - told.told_at >= reminder else None
