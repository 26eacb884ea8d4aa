"""What happens when a run is over: it is decided what is wrong, entered in the ledger, and told.

Guarantees: what is decided is in the ledger before anybody is told, and whom it was told to after, so that a kill at
any instant has it told again and never lost. Nothing here fails a run, or keeps it for much longer than
ONC_MIRROR_ALERT_TIMEOUT_S: a receiver that does not take a message is logged by its name, and told when the next run
is over. Of several processes at once one decides and tells, and the others after it.
"""

from __future__ import annotations

import logging
import time
from contextlib import contextmanager
from datetime import timedelta
from functools import partial
from typing import TYPE_CHECKING

from onc_mirror.alerts.deciding import STILL_ASKED, Facts, decide
from onc_mirror.alerts.pinging import ping_ended
from onc_mirror.alerts.receivers import receivers_of
from onc_mirror.alerts.silence import HISTORY, LEAST, learned_patience, silence_of
from onc_mirror.alerts.telling import Kind, all_told, due_messages, tellings_of
from onc_mirror.alerts.weighing import SeenRun
from onc_mirror.devices import has_left_water
from onc_mirror.faults import named
from onc_mirror.flow_names import CHECKS, HOURLY
from onc_mirror.report.document import RunReport
from onc_mirror.report.words import closing_sentence
from onc_mirror.threads import within
from onc_mirror.wording import printable

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from datetime import datetime

    from onc_mirror.alerts.receivers import Receiver
    from onc_mirror.alerts.silence import Silence
    from onc_mirror.alerts.telling import Message
    from onc_mirror.ledger.alerts import Arrival, EndedRun
    from onc_mirror.mirror import Mirror

logger = logging.getLogger(__name__)

LANE = "alerts"
_ASK_AGAIN_S = 0.2
_DECIDING_S = 5.0
"""Far more than deciding takes."""


def note_end(mirror: Mirror, run_id: str, flow: str) -> None:
    """Weigh what the ledger says after a run, tell who is to be told, and ping."""
    report, pings = None, flow == HOURLY and mirror.settings.ping_url is not None
    try:
        text = mirror.ledger.report(run_id) if pings else None  # that of a backfill may be long
        report = None if text is None else RunReport.from_json(text)
        with _alone(mirror, run_id):
            raise_alerts(mirror, flow)
            tell(mirror)
    except Exception as error:  # noqa: BLE001 - also a fault of ours here must not cost the run
        logger.warning("run=%s alerts=not-weighed detail=%r", run_id, str(named(error)))
    if not pings:
        return
    if report is None:
        ping_ended(mirror.settings, is_good=False, sentence="It broke off.")
    elif not report.is_interrupted:
        ping_ended(mirror.settings, is_good=report.exit_code != 1, sentence=closing_sentence(report))


def raise_alerts(mirror: Mirror, flow: str) -> None:
    """Decide what is wrong, and enter it."""
    now, ledger = mirror.clock(), mirror.ledger.alerts
    ended = ledger.unweighed(now)
    arrivals = ledger.arrivals(now - STILL_ASKED)
    facts = Facts(
        runs=tuple(filter(None, map(_seen, ended))),
        quarantined=ledger.quarantined(),
        damaged=ledger.damaged(ledger.last_check(CHECKS)),
        silences=_silences(mirror, arrivals) if flow == HOURLY else {},
        followed=frozenset(arrivals),
    )
    changed = decide(ledger.read(), facts, after=mirror.settings.alert_after, now=now)
    for alert in changed:
        state = "ended" if alert.ended_at else "open" if alert.opened_at else "not-sure"
        subject = printable(alert.subject) or "-"  # an archive may list any device code
        logger.info("alert=%s subject=%s state=%s detail=%r", alert.cause, subject, state, alert.detail)
    ledger.settle(changed, [run.run_id for run in ended], now)


def tell(mirror: Mirror) -> None:
    """Tell every receiver what it is to be told, side by side, within the time of the settings."""
    ledger, receivers, now = mirror.ledger.alerts, receivers_of(mirror.settings), mirror.clock()
    alerts, told = ledger.read(), ledger.tellings()
    due: list[tuple[Receiver, tuple[Message, ...], list[Message]]] = []
    for receiver in receivers:
        mine = [one for one in told if one.receiver == receiver.name]
        messages = due_messages(alerts, mine, now=now, reminder=mirror.settings.alert_reminder)
        if messages:
            receiver.prepare()
            due.append((receiver, messages, []))
    if due:
        calls = [partial(_hand_over, mirror, *one) for one in due]
        troubles = within(mirror.settings.alert_timeout_s, calls, "alert")
        for (receiver, messages, taken), trouble in zip(due, troubles, strict=True):
            _note(mirror, receiver, list(taken), now)
            if len(taken) < len(messages):
                why = trouble or "it did not answer in time"
                logger.warning("receiver=%s told=no detail=%r", receiver.name, f"It took no alert: {why}.")
        told = ledger.tellings()
    names = [receiver.name for receiver in receivers]
    if over := all_told(alerts, told, names):
        ledger.forget((), over)


def _hand_over(mirror: Mirror, receiver: Receiver, messages: tuple[Message, ...], taken: list[Message]) -> str:
    """Hand over one message after the other, also behind one that is not taken; return why the first was not."""
    troubles = []
    for message in messages:
        if trouble := receiver.take(message, mirror.settings.store_url):
            troubles.append(trouble)
        else:
            taken.append(message)
    return troubles[0] if troubles else ""


def _note(mirror: Mirror, receiver: Receiver, taken: list[Message], now: datetime) -> None:
    ledger = mirror.ledger.alerts
    lasting = [message for message in taken if message.kind is not Kind.ENDED]
    ledger.note_told(one for message in lasting for one in tellings_of(message, receiver.name, now))
    over = [message for message in taken if message.kind is Kind.ENDED]
    ledger.forget((one for message in over for one in tellings_of(message, receiver.name, now)), ())


@contextmanager
def _alone(mirror: Mirror, run_id: str) -> Iterator[None]:
    """Have no other process decide and tell at the same time; one that was killed is in the way for no longer."""
    leases = mirror.ledger.leases
    lease_s = _DECIDING_S + (mirror.settings.alert_timeout_s if receivers_of(mirror.settings) else 0.0)
    deadline = time.monotonic() + lease_s
    while True:
        now = mirror.clock()
        until = now + timedelta(seconds=lease_s)
        if leases.take_slots(LANE, wanted=1, total=1, owner=run_id, until=until, now=now):
            break
        if time.monotonic() > deadline:
            logger.warning(
                "run=%s alerts=late detail=%r", run_id, f"Another process was deciding for {lease_s:.0f} s."
            )
            break
        time.sleep(_ASK_AGAIN_S)
    try:
        yield
    finally:
        leases.return_slots(LANE, run_id, count=1)


def _seen(run: EndedRun) -> SeenRun | None:
    """The run with its report; None when another version of the mirror wrote that."""
    try:
        report = None if run.report is None else RunReport.from_json(run.report)
    except ValueError:
        return None
    return SeenRun(run.run_id, run.flow, run.started_at, run.link, report)


def _silences(mirror: Mirror, arrivals: Mapping[str, Arrival]) -> dict[str, Silence | None]:
    """Which devices are silent, of those that ever brought something."""
    found = {code: _silence(mirror, code, arrival) for code, arrival in arrivals.items() if arrival.newest}
    return {
        code: None if silence and has_left_water(mirror.archive, code, arrivals[code].watermark) else silence
        for code, silence in found.items()
    }


def _silence(mirror: Mirror, code: str, arrival: Arrival) -> Silence | None:
    newest, fixed = arrival.newest, mirror.settings.alert_silence
    if newest is None or arrival.watermark - newest <= (fixed or LEAST):
        return None
    if fixed is not None:
        return silence_of(arrival.watermark, newest, fixed)
    archived = mirror.ledger.archive_times(code, newest - HISTORY)
    return silence_of(arrival.watermark, newest, learned_patience(archived))
