"""What the mirror asks of the archive, whichever it is: `OncArchive` over HTTP, or one in the memory of a test."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable
    from contextlib import AbstractContextManager
    from datetime import timedelta

    from onc_mirror.archive.availability import Counted
    from onc_mirror.archive.discovery import Deployment, KnownDevice, Product
    from onc_mirror.model import ArchiveFile, Listing, TimeWindow

T = TypeVar("T")


class ReadableBody(Protocol):
    """The bytes of a file while they come in; see `body.Body`."""

    @property
    def announced_bytes(self) -> int | None:
        """The length that was announced, None when none was."""

    @property
    def marks_its_end(self) -> bool:
        """Whether a body that was cut short can be told from a whole one."""

    def read(self, amount: int) -> bytes:
        """Return `amount` bytes, fewer only at the end, none after it."""


class Archive(Protocol):
    """Listings and files, thread-safe. `OncArchive` says what each method guarantees and raises."""

    def list_files(
        self,
        device_code: str,
        *,
        archived: TimeWindow | None = None,
        data: TimeWindow | None = None,
        extension: str | None = None,
    ) -> Listing:
        """List a device's files, all of them."""

    def still_lists(self, file: ArchiveFile) -> bool:
        """Whether a file of this name is listed at this moment."""

    def count_files(self, device_code: str, window: TimeWindow) -> tuple[Counted, ...]:
        """Count a device's files without listing them."""

    def deployments(self, device_code: str) -> tuple[Deployment, ...]:
        """All stays of a device in the water."""

    def products(self, device_code: str) -> tuple[Product, ...]:
        """What a device offers."""

    def devices(self, *, code: str) -> tuple[KnownDevice, ...]:
        """What is known by this device code."""

    def measure_clock(self) -> timedelta:
        """The archive's clock minus this machine's."""

    def open_file(self, filename: str) -> AbstractContextManager[ReadableBody]:
        """Ask for a file once."""

    def repeat_quickly(self, call: Callable[[], T]) -> T:
        """Call `call`, a few times more while it fails in a transient way."""
