"""How far a run is, as a progress artifact that is renewed every few seconds."""

from __future__ import annotations

import logging
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any
from uuid import UUID

from prefect import task
from prefect.artifacts import create_progress_artifact, update_progress_artifact
from prefect.settings import PREFECT_CLIENT_MAX_RETRIES, temporary_settings

from onc_mirror.redacting import redact
from onc_mirror.run.life import Run
from onc_mirror.threads import repeating
from onc_mirror.transfer.progress import Progress
from tasks.policy import UNCACHED, safely

if TYPE_CHECKING:
    from collections.abc import Iterator

logger = logging.getLogger(__name__)

_RENEWED_EVERY_S = 5.0


@task(name="show-progress", **UNCACHED)
@safely
def begin_progress(run: Run) -> UUID:
    """Put a progress bar where the Prefect UI shows it."""
    # Typed for callers that await it as well; here it has the id already.
    shown: Any = create_progress_artifact(
        0.0, key=f"{run.flow}-progress", description=f"Run {run.run_id}: it begins."
    )
    return UUID(str(shown))


@contextmanager
def shown_progress(run: Run, progress: Progress) -> Iterator[None]:
    """Show how far a run is while the block runs; what cannot be shown stops nothing."""
    shown = begin_progress(run, return_state=True).result(raise_on_failure=False)
    if not isinstance(shown, UUID):
        yield
        return
    began = time.monotonic()

    def show(share: float, text: str) -> None:
        try:
            # Else a run would wait for a dead server, a minute each time; the next renewal is soon.
            with temporary_settings({PREFECT_CLIENT_MAX_RETRIES: 0}):
                update_progress_artifact(shown, 100 * share, f"Run {run.run_id}: {text}")
        except Exception as error:  # noqa: BLE001 - a server that is away for a while is no reason to end a backfill
            logger.warning("progress=not-shown detail=%r", redact(str(error)))

    def renew() -> None:
        show(progress.share, progress.sentence(time.monotonic() - began))

    try:
        with repeating(renew, _RENEWED_EVERY_S, "progress"):
            yield
    except BaseException:
        show(progress.share, f"broken off. {progress.total()}")
        raise
    show(1.0, progress.total())
