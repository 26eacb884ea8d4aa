"""The parts that one run works with, opened and closed together."""

from __future__ import annotations

from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from onc_mirror.archive import OncArchive
from onc_mirror.ledger import Ledger, open_ledger
from onc_mirror.scratch import Scratch
from onc_mirror.store import ObjectStore, open_store
from onc_mirror.validation import Validator

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from onc_mirror.settings import ArchiveSettings, MirrorSettings


class Mirror:
    """Archive, store, ledger, scratch and validator of one run. Thread-safe, as all of its parts are.

    Attributes:
        settings: What the operator set.
        archive: The Oceans 3.0 archive.
        store: The bucket.
        ledger: The state of every file ever listed.
        scratch: Room for downloads in progress.
        validator: Proves files readable, in processes of its own.
        clock: Says what time it is, UTC.
    """

    def __init__(  # noqa: PLR0913 - one argument per part
        self,
        settings: MirrorSettings,
        *,
        archive: OncArchive,
        store: ObjectStore,
        ledger: Ledger,
        scratch: Scratch,
        validator: Validator,
        clock: Callable[[], datetime],
    ) -> None:
        self.settings = settings
        self.archive = archive
        self.store = store
        self.ledger = ledger
        self.scratch = scratch
        self.validator = validator
        self.clock = clock


def utc_now() -> datetime:
    """The time of this machine, UTC."""
    return datetime.now(UTC)


@contextmanager
def open_archive(settings: ArchiveSettings) -> Iterator[OncArchive]:
    """Open the archive alone, for what needs nothing else; no request is made."""
    with OncArchive(
        str(settings.archive_url),
        settings.token,
        connect_timeout_s=settings.connect_timeout_s,
        stall_timeout_s=settings.stall_timeout_s,
        quick_retries=settings.quick_retries,
        connections=settings.concurrency,
    ) as archive:
        yield archive


@contextmanager
def open_mirror(settings: MirrorSettings, *, clock: Callable[[], datetime] = utc_now) -> Iterator[Mirror]:
    """Open everything a run needs; close it again whatever happens.

    No request goes to the archive. The ledger is created or migrated, leftovers of killed runs are removed
    from scratch.

    Raises:
        MirrorError: A part cannot be opened; the message says which and what to do.
    """
    with ExitStack() as parts:
        archive = parts.enter_context(open_archive(settings))
        ledger = parts.enter_context(open_ledger(settings.ledger))
        scratch = parts.enter_context(Scratch(settings.scratch, settings.scratch_budget))
        store = parts.enter_context(open_store(settings))
        validator = parts.enter_context(
            Validator(settings.validation_timeout_s, settings.validation_memory, processes=2)
        )
        yield Mirror(
            settings,
            archive=archive,
            store=store,
            ledger=ledger,
            scratch=scratch,
            validator=validator,
            clock=clock,
        )
