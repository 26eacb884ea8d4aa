"""What a receiver is told, in words and as the JSON that a webhook gets. Pure.

The JSON:

    kind: opened | more | reminder | ended | test
    cause: as in the runbook; null for a test
    title, text: for people
    runbook: where it says what to do, below ONC_MIRROR_RUNBOOK_URL; null for a test
    store: the store URL of the mirror
    alerts [{id, cause, subject, since, ended, count, latest, detail, run_id, run_url}], the first 100

`id` is the same whenever the same alert is told, so that who gets it twice can see that.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from onc_mirror.alerts.telling import Kind, Message
from onc_mirror.redacting import clean
from onc_mirror.utc import text_or_none, time_text
from onc_mirror.wording import counted, shortened, some_of

if TYPE_CHECKING:
    from onc_mirror.ledger.alerts import Alert

_MOST_SUBJECTS = 3
_MOST_TOLD = 20
_MOST_IN_JSON = 100
_LONGEST_DETAIL = 600

_LEADS = {Kind.OPENED: "", Kind.MORE: "more: ", Kind.REMINDER: "still: ", Kind.ENDED: "over: "}


def title_of(message: Message) -> str:
    """One line that says what it is about."""
    if message.cause is None:
        return "onc-mirror: a test, nothing is wrong"
    named = [alert.subject for alert in message.alerts if alert.subject]
    subjects = some_of(named, most=_MOST_SUBJECTS)
    what = message.cause.relief if message.kind is Kind.ENDED else message.cause.trouble
    return clean(f"onc-mirror: {_LEADS[message.kind]}{subjects + ': ' if subjects else ''}{what}")


def text_of(message: Message, store_url: str, runbook: str) -> str:
    """All that is to be said, in lines."""
    if message.cause is None:
        return f"Somebody asked onc-mirror for a test message. The mirror is {store_url}."
    lines = [line for alert in message.alerts[:_MOST_TOLD] for line in _lines(alert, message.kind)]
    if len(message.alerts) > _MOST_TOLD:
        lines.append(f"... and {len(message.alerts) - _MOST_TOLD} more: see onc-mirror alerts.")
    if message.kind is not Kind.ENDED:
        lines.append(f"What to do: {runbook}#{message.cause}")
    return "\n".join([*lines, f"The mirror is {store_url}."])


def json_of(message: Message, store_url: str, runbook: str) -> str:
    """The body of a webhook's request; see the module."""
    content = {
        "kind": str(message.kind),
        "cause": None if message.cause is None else str(message.cause),
        "title": title_of(message),
        "text": text_of(message, store_url, runbook),
        "runbook": None if message.cause is None else f"{runbook}#{message.cause}",
        "store": store_url,
        "alerts": [alert_json(alert) for alert in message.alerts[:_MOST_IN_JSON]],
    }
    return json.dumps(content, indent=2, allow_nan=False)


def alert_json(alert: Alert) -> dict[str, Any]:
    """An alert as JSON has it."""
    return {
        "id": f"{alert.cause}/{alert.subject}/{time_text(alert.opened_at or alert.since)}",
        "cause": alert.cause,
        "subject": alert.subject,
        "since": time_text(alert.since),
        "ended": text_or_none(alert.ended_at),
        "count": alert.count,
        "latest": time_text(alert.latest),
        "detail": clean(shortened(alert.detail, _LONGEST_DETAIL)),
        "run_id": alert.run_id,
        "run_url": alert.link or None,
    }


def _lines(alert: Alert, kind: Kind) -> list[str]:
    about = f"{alert.subject}: " if alert.subject else ""
    since = f"since {time_text(alert.since, 'seconds')}"
    detail = shortened(alert.detail, _LONGEST_DETAIL)
    if kind is Kind.ENDED:
        return [clean(f"{about}{since}, over at {text_or_none(alert.ended_at)}. It was: {detail}")]
    times = f", {counted(alert.count, 'time')}" if alert.count > 1 else ""
    run = f"Run {alert.run_id}{f': {alert.link}' if alert.link else ''}"
    return [clean(f"{about}{since}{times}. {detail}"), *([clean(run)] if alert.run_id else [])]
