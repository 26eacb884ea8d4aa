"""What the mirror asks the archive: listings, deployments, products, devices, files.

Guarantee: answers are frozen values, failures are `MirrorError`s that never hold the token. Each request is
repeated quickly a few times when its failure is transient, but for a file that is not ready yet, which takes longer
than that: the caller comes back later.
"""

from __future__ import annotations

import random
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, Self, TypeVar

from onc_mirror.archive.answers import INVALID_VALUE, NothingFoundError
from onc_mirror.archive.availability import count_files
from onc_mirror.archive.discovery import parse_deployment, parse_device, parse_product
from onc_mirror.archive.paging import ROW_LIMIT, Query, list_rows
from onc_mirror.archive.rows import parse_file
from onc_mirror.archive.whereabouts import windows_with
from onc_mirror.errors import (
    GarbledAnswerError,
    MirrorError,
    NotReadyError,
    RequestRejectedError,
    ScratchFullError,
    TransientError,
    UnknownDeviceError,
    UnreachableError,
)
from onc_mirror.model import Listing
from onc_mirror.repeats import tell_of_repeat

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from pydantic import SecretStr

    from onc_mirror.archive.availability import Counted
    from onc_mirror.archive.body import Body
    from onc_mirror.archive.discovery import Deployment, KnownDevice, Product
    from onc_mirror.model import ArchiveFile, TimeWindow

T = TypeVar("T")

LONGEST_QUICK_WAIT_S = 60.0

_NOT_FOUND = 404


class OncArchive:
    """The archive at one address, with one token. Thread-safe; close it, or use it in a `with` statement."""

    def __init__(  # noqa: PLR0913 - one argument per setting
        self,
        base_url: str,
        token: SecretStr,
        *,
        connect_timeout_s: float,
        stall_timeout_s: float,
        quick_retries: int,
        connections: int,
        row_limit: int = ROW_LIMIT,
    ) -> None:
        """Prepare to ask; no request is made.

        Args:
            base_url: `https://data.oceannetworks.ca/`, or where a stand-in is.
            token: The archive token.
            connect_timeout_s: Seconds to wait for a connection.
            stall_timeout_s: Seconds without a byte after which a request is given up; the head of an answer must
                be whole within them.
            quick_retries: Repeats of a request that failed in a transient way.
            connections: Requests in flight at most; more threads wait for their turn.
            row_limit: Rows per page of a listing.

        Raises:
            SettingsError: `base_url` is no HTTP address.
        """
        from onc_mirror.archive.transport import Transport  # noqa: PLC0415 - urllib3 takes 0.15 s to import

        self._transport = Transport(
            base_url,
            token,
            connect_timeout_s=connect_timeout_s,
            stall_timeout_s=stall_timeout_s,
            connections=connections,
        )
        self._quick_retries = quick_retries
        self._row_limit = row_limit

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the idle connections."""
        self._transport.close()

    def list_files(
        self,
        device_code: str,
        *,
        archived: TimeWindow | None = None,
        data: TimeWindow | None = None,
        extension: str | None = None,
    ) -> Listing:
        """List a device's files, all pages.

        A file is in `data` when its data overlap the window; the archive's own documentation and behaviour
        differ at the edges, so do not rely on them. A window that begins in the future is empty without asking,
        since the archive would refuse it.

        Args:
            device_code: Device code, exact including case.
            archived: Keep files that the archive took in within this window.
            data: Keep files with data in this window; both windows given, both must hold.
            extension: Keep files with this extension, without a dot.

        Returns:
            Every row once; identical repetitions are counted only. Which rows the archive wrongly lists is not
            decided here: a row of another device keeps its own device code.

        Raises:
            UnknownDeviceError: The archive does not know the device.
            ListingIncompleteError: The pages loop, or cannot be shown to be complete.
            MirrorError: As `transport` names it.
        """
        query = Query(device_code, self._row_limit, archived=archived, data=data, extension=extension)
        now = datetime.now(UTC)
        if any(window is not None and window.since > now for window in (archived, data)):
            return Listing(device_code, archived, ())
        rows = list_rows(lambda parameters: self._ask("archivefile/device", parameters, device_code), query)
        return Listing(
            device_code,
            archived,
            tuple(parse_file(row, device_code) for row in rows.distinct),
            duplicates=rows.repeated,
        )

    def still_lists(self, file: ArchiveFile) -> bool:
        """Whether the archive lists a file of this name at this moment.

        Asks for as little as `windows_with` says, and always asks: without any time it is all of the device's files.

        Raises:
            MirrorError: As `list_files`.
        """
        windows = windows_with(file, datetime.now(UTC))
        return any(row.filename == file.filename for row in self.list_files(file.device_code, **windows).files)

    def count_files(self, device_code: str, window: TimeWindow) -> tuple[Counted, ...]:
        """Count a device's files per product, extension and span of data, without listing them.

        Args:
            device_code: Device code.
            window: Of data time, from midnight to midnight. One that begins in the future is empty without asking.

        Raises:
            MirrorError: As `transport` names it.
        """
        if window.since > datetime.now(UTC):
            return ()
        service = "dataAvailability/dataproducts"
        return count_files(lambda parameters: self._ask(service, parameters, device_code), device_code, window)

    def deployments(self, device_code: str) -> tuple[Deployment, ...]:
        """All stays of a device in the water, in the archive's order; none when the archive knows of none.

        Raises:
            MirrorError: As `transport` names it.
        """
        rows = self._discover("deployments", {"deviceCode": device_code}, device_code)
        return tuple(parse_deployment(row, device_code) for row in rows)

    def products(self, device_code: str) -> tuple[Product, ...]:
        """What a device offers, one value per product and extension; nothing when nothing matches.

        Includes products that are made on demand and are no archive files.

        Raises:
            MirrorError: As `transport` names it.
        """
        rows = self._discover("dataProducts", {"deviceCode": device_code}, device_code)
        return tuple(parse_product(row) for row in rows)

    def devices(self, *, code: str) -> tuple[KnownDevice, ...]:
        """What the archive knows by this device code; nothing when it does not know it.

        Raises:
            MirrorError: As `transport` names it.
        """
        return tuple(parse_device(row) for row in self._discover("devices", {"deviceCode": code}, code))

    def measure_clock(self) -> timedelta:
        """The archive's clock minus this machine's, good to about a second. Needs no valid token.

        Where the front page does not tell, the API's refusal of a request without a token does.

        Raises:
            MirrorError: There is no connection, or neither answer has a date.
        """
        try:
            return self._measure_clock("")
        except UnreachableError:
            raise
        except MirrorError:
            return self._measure_clock("api/deployments")

    def _measure_clock(self, path: str) -> timedelta:
        before = datetime.now(UTC)
        date = self._transport.server_time(path)
        after = datetime.now(UTC)
        return date + timedelta(seconds=0.5) - (before + (after - before) / 2)

    @contextmanager
    def open_file(self, filename: str) -> Iterator[Body]:
        """Ask for a file once and give its body to the `with` block.

        Raises:
            NotReadyError: The archive does not hand it out, or not yet.
            MirrorError: As `transport` names it.
        """
        with self._transport.stream_file("archivefile/download", {"filename": filename}, filename) as body:
            yield body

    def repeat_quickly(self, call: Callable[[], T]) -> T:
        """Call `call`, a few times more while it fails in a transient way, with jitter in between.

        A Retry-After up to a minute is waited for; one that is longer ends the repeats, for the caller to heed.

        Raises:
            MirrorError: The last call's.
        """
        import stamina  # noqa: PLC0415 - as urllib3: only those who ask pay for it

        failed: list[TransientError] = []

        def wait(error: Exception) -> bool | float:
            if isinstance(error, TransientError):
                failed.append(error)
            return _quick_wait(error)

        for attempt in stamina.retry_context(
            on=wait,
            attempts=self._quick_retries + 1,
            timeout=None,
            wait_initial=0.5,
            wait_max=LONGEST_QUICK_WAIT_S,
            wait_jitter=0.5,
        ):
            if failed:
                tell_of_repeat(failed[-1])
            with attempt:
                return call()
        raise AssertionError("stamina attempts at least once")  # pragma: no cover - cannot be

    def _ask(self, service: str, parameters: Mapping[str, str], subject: str | None) -> Any:
        return self.repeat_quickly(lambda: self._transport.get_json(service, parameters, subject))

    def _discover(self, service: str, parameters: Mapping[str, str], subject: str | None) -> list[dict[str, Any]]:
        try:
            rows = self._ask(service, parameters, subject)
        except (UnknownDeviceError, RequestRejectedError) as error:
            # How the discovery calls say "none": 404, or for deployments 400 with code 127.
            if isinstance(error, NothingFoundError) or error.api_code == INVALID_VALUE:
                return []
            if error.status != _NOT_FOUND:
                raise
            failure = GarbledAnswerError(
                f"Some web server, but not the archive's API, says that there is no {service}."
                " Check ONC_MIRROR_ARCHIVE_URL, or wait when the archive is in maintenance.",
                subject=subject,
                status=error.status,
            )
            raise failure from None
        if not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows):
            raise GarbledAnswerError(
                f"The archive's answer about {service} is not a list of objects. Try again later.", subject=subject
            )
        return rows


def _quick_wait(error: Exception) -> bool | float:
    """Say whether to repeat after `error`, and how many seconds to wait when the archive asked for some."""
    if not isinstance(error, TransientError) or isinstance(error, NotReadyError | ScratchFullError):
        return False
    asked = error.retry_after_s
    if asked is None:
        return True
    return asked <= LONGEST_QUICK_WAIT_S and asked + random.uniform(0, 0.5)  # noqa: S311 - spreads load, guards nothing
