"""What becomes of the parameters of a run."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from prefect.client.schemas.objects import StateType
from pydantic import TypeAdapter, ValidationError

from flows.backfill import backfill
from onc_mirror.backfill.forecasting import Forecast
from onc_mirror.backfill.spanning import BackfillRequest
from onc_mirror.model import TimeWindow
from tasks.backfilling import forecast_state
from tasks.parameters import DeviceCodes, Time
from tasks.starting import MOST_DAYS, foresees_only
from tests.support.reports import build_report

NOW = datetime(2026, 11, 23, 6, 30, tzinfo=UTC)


@pytest.mark.parametrize(
    ("days", "dry_run", "only_looks"),
    [
        (MOST_DAYS - 1, None, False),
        (MOST_DAYS, None, True),
        (MOST_DAYS, False, False),
        (1, True, True),
    ],
    ids=["a year", "more than a year", "more, and told to", "a day, and told not to"],
)
def test_a_backfill_of_more_than_a_year_only_looks_unless_it_is_told_to_fetch(
    days: int, *, dry_run: bool | None, only_looks: bool
) -> None:
    request = BackfillRequest(NOW - timedelta(days=days))  # and today is one more

    assert foresees_only(request, dry_run=dry_run, now=NOW) is only_looks


def test_the_form_says_from_how_many_days_on() -> None:
    assert f"more than {MOST_DAYS} days" in backfill.parameters.properties["dry_run"]["description"]


def test_a_dry_run_that_nobody_asked_for_says_how_to_fetch() -> None:
    window = TimeWindow(NOW - timedelta(days=1000), NOW)
    nothing = build_report(
        run_id="1", flow="backfill", window=(None, None), devices=(), outcomes=(), errors=(), seconds=0.0
    )
    forecast = Forecast(window, ("TUMLIDAR001",), (), nothing, None)

    state, asked = forecast_state(forecast, asked=False), forecast_state(forecast, asked=True)

    assert (state.type, state.name) == (StateType.COMPLETED, "CompletedDryRun")
    assert "dry_run=false does it" in str(state.message)
    assert "dry_run=false" not in str(asked.message)


@pytest.mark.parametrize(
    ("given", "understood"),
    [
        ("2026-11-22", datetime(2026, 11, 22, tzinfo=UTC)),
        ("2026-11-22T06:00", datetime(2026, 11, 22, 6, tzinfo=UTC)),
        ("2026-11-22T06:00:00.000Z", datetime(2026, 11, 22, 6, tzinfo=UTC)),
        ("2026-11-22 06:00:00+01:00", datetime(2026, 11, 22, 5, tzinfo=UTC)),
    ],
)
def test_a_time_is_utc_unless_it_has_a_zone(given: str, understood: datetime) -> None:
    assert TypeAdapter(Time).validate_python(given) == understood


def test_a_run_takes_devices_of_no_table_but_no_name_that_can_be_none() -> None:
    adapter = TypeAdapter(DeviceCodes)

    assert adapter.validate_python(["NEWDEVICE001"]) == ["NEWDEVICE001"]
    with pytest.raises(ValidationError, match="is no device code"):
        adapter.validate_python(["../TUMLIDAR001"])
