"""How far a run is, where the Prefect UI shows it."""

from __future__ import annotations

from datetime import UTC, datetime
from uuid import UUID

import pytest

from onc_mirror.run.life import Run
from onc_mirror.transfer.progress import Progress
from tasks import progress as shown

RUN = Run("r", "backfill", datetime(2026, 11, 22, tzinfo=UTC))


@pytest.fixture
def told(monkeypatch: pytest.MonkeyPatch) -> list[tuple[float, str]]:
    """Share and description of each renewal."""
    renewals: list[tuple[float, str]] = []
    monkeypatch.setattr(shown, "begin_progress", lambda *_, **__: _Begun())
    monkeypatch.setattr(shown, "update_progress_artifact", lambda _, share, text: renewals.append((share, text)))
    return renewals


class _Begun:
    """A task that has ended."""

    def result(self, *, raise_on_failure: bool) -> UUID:
        """Return the id of the artifact."""
        return UUID(int=int(raise_on_failure))


def half_done() -> Progress:
    progress = Progress()
    progress.begun(2)
    progress.planned(1, 500)
    progress.advanced(500)
    progress.ended()
    return progress


def test_a_run_that_has_ended_is_not_half_done_though_a_device_could_not_be_listed(
    told: list[tuple[float, str]],
) -> None:
    progress = half_done()
    with shown.shown_progress(RUN, progress):
        progress.ended()

    assert told[-1] == (1.0 * 100, "Run r: 0 of 1 file, 2 of 2 days of devices, 500 B.")


def test_a_run_that_breaks_off_says_how_far_it_was(told: list[tuple[float, str]]) -> None:
    with pytest.raises(KeyboardInterrupt), shown.shown_progress(RUN, half_done()):
        raise KeyboardInterrupt

    assert told[-1] == (50.0, "Run r: broken off. 0 of 1 file, 1 of 2 days of devices, 500 B.")
