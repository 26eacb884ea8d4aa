"""The parts that one run works with, opened and closed together."""

from __future__ import annotations

import copy
import importlib
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime
from typing import TYPE_CHECKING, TypeVar

from onc_mirror.archive import OncArchive
from onc_mirror.ledger import Ledger, open_ledger
from onc_mirror.metrics.meter import Meter
from onc_mirror.retrying import Patience, with_retries
from onc_mirror.scratch import Scratch
from onc_mirror.store import ObjectStore, open_store
from onc_mirror.store.presence import Presence
from onc_mirror.threads import side_by_side
from onc_mirror.validation import Validator

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from onc_mirror.archive import Archive
    from onc_mirror.settings import ArchiveSettings, MirrorSettings

T = TypeVar("T")


class Mirror:
    """Archive, store, ledger, scratch and validator of one run. Thread-safe, as all of its parts are.

    Attributes:
        settings: What the operator set.
        archive: The Oceans 3.0 archive.
        ledger: The state of every file ever listed.
        presence: What the store held when it was first asked.
        scratch: Room for downloads in progress.
        validator: Proves files readable, in processes of its own.
        clock: Says what time it is, UTC.
        meter: Counts what is done.
        patience: Of the files that are transferred together.
    """

    def __init__(  # noqa: PLR0913 - one argument per part
        self,
        settings: MirrorSettings,
        *,
        archive: Archive,
        store: Callable[[], ObjectStore],
        ledger: Ledger,
        scratch: Scratch,
        validator: Validator,
        clock: Callable[[], datetime],
    ) -> None:
        self.settings = settings
        self.archive = archive
        self._store = store
        self.presence = Presence(store)
        self.ledger = ledger
        self.scratch = scratch
        self.validator = validator
        self.clock = clock
        self.meter = Meter()
        self.patience = Patience()

    def retried(self, call: Callable[[], T]) -> T:
        """Call `call` with the slow retries of the settings, or once in an outage that has outlasted them."""
        return with_retries(call, self.settings.retry_delays_s, patience=self.patience)

    @property
    def store(self) -> ObjectStore:
        """The bucket.

        Raises:
            MirrorError: It cannot be opened.
        """
        return self._store()

    def asking(self, archive: Archive) -> Mirror:
        """The same parts with another way to ask the archive."""
        other = copy.copy(self)
        other.archive = archive
        return other

    def with_new_patience(self) -> Mirror:
        """The same parts for files that have not waited for anything yet."""
        other = copy.copy(self)
        other.patience = Patience()
        return other

    def with_store(self, wrapped: Callable[[ObjectStore], ObjectStore]) -> Mirror:
        """The same parts with what `wrapped` makes of the store."""
        other = copy.copy(self)
        other._store = lambda: wrapped(self.store)  # noqa: SLF001 - of the same class
        return other


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
    from scratch. The store is opened beside the caller's first steps, who waits for it when it asks for it.

    Raises:
        MirrorError: A part cannot be opened; the message says which and what to do. For the store that is said
            where it is asked for, at the latest when the `with` block ends.
    """
    with ExitStack() as parts:
        archive = parts.enter_context(open_archive(settings))
        ledger = parts.enter_context(open_ledger(settings.ledger, variable=settings.ledger_variable))
        scratch = parts.enter_context(
            Scratch(settings.scratch, settings.scratch_budget, variable=settings.scratch_variable)
        )
        store = parts.enter_context(_opening_store(settings))
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


@contextmanager
def _opening_store(settings: MirrorSettings) -> Iterator[Callable[[], ObjectStore]]:
    """Give the `with` block a function that waits for the store; close the store at its end."""
    with side_by_side(1, "open") as pool:
        opening = pool.submit(_open_store, settings)
        try:
            yield opening.result
            opening.result()
        finally:
            if not opening.cancel() and opening.exception() is None:
                opening.result().close()


def _open_store(settings: MirrorSettings) -> ObjectStore:
    # pandas and s3fs take most of a second to import. The archive, which is asked first, answers meanwhile; the
    # planner comes before the store is needed.
    importlib.import_module("onc_mirror.planning")
    return open_store(settings)
