"""What begins, grows and ends an alert, and who is told of it: decisions on values alone."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from onc_mirror.alerts.causes import Cause
from onc_mirror.alerts.deciding import Facts, decide
from onc_mirror.alerts.silence import LEAST, Silence, learned_patience, silence_of
from onc_mirror.alerts.telling import Kind, all_told, due_messages, tellings_of
from onc_mirror.alerts.weighing import SeenRun
from onc_mirror.flow_names import HOURLY, ON_DEMAND
from onc_mirror.ledger.alerts import Alert, Pile, Telling
from onc_mirror.report.document import NO_DEVICE, DeviceError
from tests.support.archive_files import DEVICE, bounded
from tests.support.reports import build_report

NOON = datetime(2026, 11, 22, 12, tzinfo=UTC)
HOUR = timedelta(hours=1)
DAY = timedelta(days=1)
OTHER = "TUMMINISPECTROMETER002"
LINK = "http://prefect/runs/flow-run/1"


def run(number: int = 0, *errors: DeviceError, flow: str = HOURLY, killed: bool = False) -> SeenRun:
    report = build_report(
        run_id=f"r{number}", flow=flow, window=(None, NOON), devices=[DEVICE, OTHER], outcomes=[], errors=errors,
        seconds=1.0,
    )  # fmt: skip
    return SeenRun(f"r{number}", flow, NOON + number * HOUR, LINK, None if killed else report)


def error(device: str = DEVICE, reason: str = "stalled") -> DeviceError:
    return DeviceError(device, reason, f"{device} {reason}.")


def after(*facts: Facts, limit: int = 2) -> dict[tuple[str, str], Alert]:
    """The alerts once these facts were weighed, an hour apart."""
    known: dict[tuple[str, str], Alert] = {}
    for number, fact in enumerate(facts):
        changed = decide(known.values(), fact, after=limit, now=NOON + number * HOUR)
        known |= {alert.key: alert for alert in changed}
    return known


def runs(*seen: SeenRun) -> list[Facts]:
    return [Facts(runs=(one,), followed=frozenset({DEVICE, OTHER})) for one in seen]


def test_a_device_that_one_run_could_not_list_is_no_alert_and_one_of_two_runs_is() -> None:
    once = after(*runs(run(0, error())))
    twice = after(*runs(run(0, error()), run(1, error())))

    assert once["device-unlisted", DEVICE].is_open is False
    alert = twice["device-unlisted", DEVICE]
    assert (alert.is_open, alert.count, alert.since, alert.run_id, alert.link) == (True, 2, NOON, "r1", LINK)
    assert alert.detail == f"{DEVICE} stalled."
    assert set(twice) == {("device-unlisted", DEVICE)}


def test_a_run_between_that_lists_the_device_begins_the_count_anew() -> None:
    known = after(*runs(run(0, error()), run(1), run(2, error())))

    assert known["device-unlisted", DEVICE].is_open is False
    assert known["device-unlisted", DEVICE].count == 1


def test_when_no_device_can_be_listed_the_run_is_the_trouble_and_not_each_device() -> None:
    seen = [run(number, error(), error(OTHER)) for number in (0, 1)]

    assert set(after(*runs(*seen))) == {("runs-fail", HOURLY)}


@pytest.mark.parametrize("failed", [run(1, error(NO_DEVICE)), run(1, killed=True)], ids=["broke-off", "killed"])
def test_runs_that_fail_or_are_killed_in_a_row_are_an_alert_that_a_good_run_ends(failed: SeenRun) -> None:
    known = after(*runs(run(0, error(NO_DEVICE)), failed))
    mended = after(*runs(run(0, error(NO_DEVICE)), failed, run(2)))

    assert known["runs-fail", HOURLY].is_open
    assert mended["runs-fail", HOURLY].ended_at == NOON + 2 * HOUR


def test_a_run_that_was_told_to_stop_says_nothing() -> None:
    assert after(*runs(run(0, error(NO_DEVICE, "interrupted")), run(1, error(NO_DEVICE, "interrupted")))) == {}


def test_a_run_that_somebody_asked_for_neither_ends_an_alert_of_hourly_runs_nor_is_one() -> None:
    failing = [run(number, error(NO_DEVICE), error()) for number in (0, 1)]
    bad = [run(number, error(NO_DEVICE), error(), flow=ON_DEMAND, killed=number == 3) for number in (2, 3)]

    known = after(*runs(*failing, run(4, flow=ON_DEMAND)))

    assert {key for key, alert in known.items() if alert.is_open} == {
        ("runs-fail", HOURLY), ("device-unlisted", DEVICE)
    }  # fmt: skip
    assert after(*runs(*bad)) == {}


def test_a_rejected_token_is_an_alert_at_once_and_ends_when_a_device_is_listed() -> None:
    rejected = run(0, error(NO_DEVICE, "token-rejected"))

    assert set(after(*runs(rejected))) == {("token-rejected", "")}
    assert after(*runs(rejected, run(1)))["token-rejected", ""].ended_at
    assert after(*runs(rejected, run(1, flow="scrub")))["token-rejected", ""].is_open


def test_a_backfill_that_fails_is_no_alert_of_runs_in_a_row() -> None:
    assert after(*runs(*(run(number, error(NO_DEVICE), flow="backfill") for number in range(3)))) == {}


def test_what_a_check_lost_is_told_once_and_what_its_guard_stopped_until_it_does_not() -> None:
    lost, stopped = error(DEVICE, "lost"), error(NO_DEVICE, "unlikely-change")
    known = after(*runs(run(0, lost, flow="reconcile"), run(1, stopped, flow="scrub")))
    later = after(*runs(run(0, lost, flow="reconcile"), run(1, stopped, flow="scrub"), run(2, flow="scrub")))

    assert {key for key, alert in known.items() if alert.is_open} == {("lost", DEVICE), ("unlikely-change", "scrub")}
    assert all(alert.ended_at for alert in later.values())


def pile(count: int, latest: datetime = NOON, left: int = 1) -> Pile:
    return Pile(count, left, NOON, latest, ("a.hdf5",))


def test_quarantined_and_damaged_files_are_an_alert_while_there_are_some() -> None:
    found = Facts(quarantined={DEVICE: pile(3)}, damaged={OTHER: pile(2)})

    known = after(found)
    ended = after(found, Facts())

    assert known["quarantine", DEVICE].detail == "3 files in quarantine: a.hdf5 and 2 more."
    assert (
        known["damage", OTHER].detail
        == "2 objects found missing or damaged, 1 of them are put right: a.hdf5 and 1 more."
    )
    assert all(alert.ended_at for alert in ended.values())


def test_what_stays_as_it_is_changes_nothing() -> None:
    facts = Facts(quarantined={DEVICE: pile(3)}, silences={OTHER: Silence(NOON, HOUR)}, followed=frozenset({OTHER}))
    known = after(facts)

    assert decide(known.values(), facts, after=2, now=NOON + HOUR) == ()


def test_a_device_that_cannot_be_listed_is_not_called_silent_and_one_that_nobody_asks_for_no_longer_is() -> None:
    silent = Facts(silences={DEVICE: Silence(NOON, 3 * HOUR)}, followed=frozenset({DEVICE}))
    both = Facts(runs=(run(0, error()),), silences=dict(silent.silences), followed=silent.followed)

    assert after(silent)["device-silent", DEVICE].detail.endswith("usually something comes within 3 h.")
    assert ("device-silent", DEVICE) not in after(both)
    assert after(silent, Facts())["device-silent", DEVICE].ended_at
    assert after(silent, Facts(silences={DEVICE: None}, followed=silent.followed))["device-silent", DEVICE].ended_at


STEADY = [NOON - step * timedelta(minutes=5) for step in range(10 * 288, -1, -1)]
DAILY = [NOON - day * DAY + file * timedelta(seconds=10) for day in range(9, -1, -1) for file in range(100)]
WEEKLY = [NOON - week * 7 * DAY + file * timedelta(seconds=10) for week in range(3, -1, -1) for file in range(100)]


@pytest.mark.parametrize(
    ("archived", "between"),
    [
        (STEADY, (LEAST, LEAST)),
        ([time for time in STEADY if not NOON - 5 * DAY < time < NOON - 3 * DAY], (LEAST, LEAST)),
        (DAILY, (36 * HOUR, 38 * HOUR)),
        ([time for time in DAILY if not NOON - 5 * DAY < time < NOON - 3.5 * DAY], (36 * HOUR, 76 * HOUR)),
        (WEEKLY, (10 * DAY, 11 * DAY)),
    ],
    ids=["steady", "steady-after-an-outage", "daily", "daily-with-a-missed-day", "weekly"],
)
def test_patience_is_learned_from_the_pauses_of_the_device(
    archived: list[datetime], between: tuple[timedelta, timedelta]
) -> None:
    patience = learned_patience(archived)

    assert patience is not None
    assert between[0] <= patience <= between[1]
    assert silence_of(archived[-1] + patience, archived[-1], patience) is None
    assert silence_of(archived[-1] + patience + HOUR, archived[-1], patience) == Silence(archived[-1], patience)


def test_of_a_new_device_nobody_knows_how_long_it_may_be_silent() -> None:
    assert learned_patience([]) is None
    assert learned_patience(DAILY[:150]) is None
    assert silence_of(NOON + 99 * DAY, NOON, None) is None


@bounded
@given(st.lists(st.floats(60, 48 * 3600), min_size=3, max_size=60))
def test_a_pause_that_came_twice_is_never_a_silence(seconds: list[float]) -> None:
    archived = [NOON]
    for pause in (*seconds, *seconds):
        archived.append(archived[-1] + timedelta(seconds=pause))

    patience = learned_patience(archived)

    assert patience is None or patience >= timedelta(seconds=max(seconds))


def alert(cause: Cause = Cause.QUARANTINE, subject: str = DEVICE, **changes: object) -> Alert:
    plain = Alert(
        cause=cause, subject=subject, since=NOON, opened_at=NOON, count=1, latest=NOON, detail="d", run_id="r"
    )
    return replace(plain, **changes)  # type: ignore[arg-type]  # fields of any type


def told_of(one: Alert, at: datetime = NOON) -> Telling:
    return Telling(one.cause, one.subject, "hook", at, one.count, one.latest)


def kinds(one: Alert, *told: Telling, now: datetime = NOON) -> list[Kind]:
    return [message.kind for message in due_messages([one], told, now=now, reminder=DAY)]


def test_an_alert_is_told_once_and_again_only_after_the_time_of_the_reminder() -> None:
    open_one = alert(Cause.DEVICE_SILENT)
    told = told_of(open_one)

    assert kinds(open_one) == [Kind.OPENED]
    assert kinds(open_one, told, now=NOON + 23 * HOUR) == []
    assert kinds(open_one, told, now=NOON + DAY) == [Kind.REMINDER]
    assert kinds(replace(open_one, opened_at=None)) == []


def test_each_further_file_is_news_and_what_may_stay_for_good_is_not_told_again() -> None:
    told = told_of(alert())

    assert kinds(alert(count=2), told) == [Kind.MORE]
    assert kinds(alert(latest=NOON + HOUR), told) == [Kind.MORE]
    assert kinds(alert(), told, now=NOON + 99 * DAY) == []


def test_its_end_is_told_to_whom_it_was_told_and_a_loss_has_none() -> None:
    over, lost = alert(ended_at=NOON), alert(Cause.LOST, ended_at=NOON)

    assert kinds(over) == []
    assert kinds(over, told_of(over)) == [Kind.ENDED]
    assert kinds(lost) == [Kind.OPENED]
    assert kinds(lost, told_of(lost)) == []
    assert all_told([over, lost, alert()], [], ["hook"]) == (over,)
    assert all_told([over, lost], [told_of(over)], ["hook"]) == ()
    assert all_told([over, lost], [told_of(lost)], ["hook"]) == (over, lost)
    assert all_told([over, lost], [told_of(over)], []) == (over, lost)


def test_many_devices_with_one_cause_are_one_message() -> None:
    many = [alert(Cause.DEVICE_SILENT, f"D{number}") for number in range(10)]

    (message,) = due_messages(many, [], now=NOON, reminder=DAY)

    assert len(message.alerts) == 10
    assert due_messages(many, tellings_of(message, "hook", NOON), now=NOON, reminder=DAY) == ()


def test_an_alert_that_a_newer_version_entered_is_left_alone() -> None:
    assert due_messages([replace(alert(), cause="of-the-future")], [], now=NOON, reminder=DAY) == ()
