"""The options that several commands share: which devices, which window, which files."""

from __future__ import annotations

import functools
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any, ParamSpec, TypeVar

import click
from pydantic import ByteSize, TypeAdapter, ValidationError

from onc_mirror.durations import parse_duration
from onc_mirror.errors import SettingsError
from onc_mirror.selection import Selection
from onc_mirror.windows import future_note, resolve_window

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from onc_mirror.archive import Archive

P = ParamSpec("P")
R = TypeVar("R")
C = TypeVar("C", bound="Callable[..., Any] | click.Command")


class Bytes(click.ParamType[int]):
    """A size as people write it: `20000`, `10MB`, `1.5GiB`."""

    name = "size"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> int:
        """Return the number of bytes."""
        try:
            return TypeAdapter(ByteSize).validate_python(value)
        except ValidationError:
            self.fail(f"{value!r} is no size in bytes such as 20000, 10MB or 1.5GiB.", param, ctx)


class Duration(click.ParamType[timedelta]):
    """A length of time, as an ISO 8601 duration."""

    name = "duration"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> timedelta:
        """Return it."""
        try:
            span: timedelta = parse_duration(value)
        except ValueError as error:
            self.fail(f"{value!r} {error}.", param, ctx)
        if span <= timedelta(0):
            self.fail(f"{value!r} is no time at all.", param, ctx)
        return span


@dataclass(frozen=True, slots=True)
class Choice:
    """What the shared options say.

    Attributes:
        devices: Device codes.
        locations: Location codes.
        categories: Device category codes.
        products: Data product codes.
        product_names: Parts of data product names, in any case.
        extensions: Extensions.
        min_bytes: Smallest download wanted.
        max_bytes: Largest download wanted.
        name: Glob for the filename.
        since: Begin of the window, UTC.
        until: End of the window, UTC.
    """

    devices: tuple[str, ...]
    locations: tuple[str, ...]
    categories: tuple[str, ...]
    products: tuple[str, ...]
    product_names: tuple[str, ...]
    extensions: tuple[str, ...]
    min_bytes: int | None
    max_bytes: int | None
    name: str | None
    since: datetime | None
    until: datetime | None

    @property
    def narrows_files(self) -> bool:
        """Whether an option leaves files of the chosen devices out."""
        texts = (self.products, self.product_names, self.extensions, self.name)
        return any(texts) or self.min_bytes is not None or self.max_bytes is not None

    def selection(
        self, archive: Archive, device_codes: Sequence[str], *, extensions: tuple[str, ...] = ()
    ) -> Selection:
        """The selection these options make; product names are looked up at the archive.

        Args:
            archive: Asked what the devices offer when products are chosen by name.
            device_codes: The devices of the run.
            extensions: Extensions wanted when no option names any; empty means all.

        Raises:
            SettingsError: No product of these devices has such a name, or no size is within the limits.
            MirrorError: The archive does not say what the devices offer.
        """
        if self.min_bytes is not None and self.max_bytes is not None and self.min_bytes > self.max_bytes:
            raise SettingsError(f"No file has {self.min_bytes} bytes or more and {self.max_bytes} or less.")
        products = frozenset(self.products)
        if self.product_names:
            from onc_mirror.browsing import product_codes  # noqa: PLC0415 - brings pandas, which takes long to import

            products |= product_codes(archive, device_codes, self.product_names)
        wanted = tuple(part.lstrip(".").lower() for part in self.extensions) or extensions
        return Selection(
            extensions=frozenset(wanted) or None,
            products=products or None,
            min_bytes=self.min_bytes,
            max_bytes=self.max_bytes,
            name_pattern=self.name,
        )


def devices_option(text: str, name: str = "devices") -> Callable[[C], C]:
    """The option that narrows a command to devices.

    Args:
        text: What it says of itself.
        name: The command's argument that gets the codes.
    """
    return click.option("--device", "-d", name, multiple=True, metavar="CODE", help=text)


_OPTIONS = (
    devices_option("Only this device, in or out of the water."),
    click.option("--location", "locations", multiple=True, metavar="CODE", help="Only devices at this location."),
    click.option("--category", "categories", multiple=True, metavar="CODE", help="Only devices of this category."),
    click.option("--product", "products", multiple=True, metavar="CODE", help="Only this data product."),
    click.option(
        "--product-name",
        "product_names",
        multiple=True,
        metavar="TEXT",
        help="Only products whose name has TEXT in it.",
    ),
    click.option(
        "--extension", "-e", "extensions", multiple=True, metavar="EXT", help="Only this extension, such as hdf5."
    ),
    click.option(
        "--min-size",
        "min_bytes",
        type=Bytes(),
        metavar="SIZE",
        help="Only files of SIZE or more: 20000 (bytes), 10MB, 1GiB.",
    ),
    click.option("--max-size", "max_bytes", type=Bytes(), metavar="SIZE", help="Only files of SIZE or less."),
    click.option("--name", metavar="GLOB", help="Only files whose whole name matches, such as '*-CAMERA.hdf5'."),
)

_ARCHIVE_TIME = (
    click.option(
        "--since",
        metavar="TIME",
        help="Archived at or after TIME: 2026-11-22 or 2026-11-22T06:00 (UTC), or a duration back from --until, else"
        " from now: PT6H, P2D.",
    ),
    click.option(
        "--until", metavar="TIME", help="Archived before TIME, or a duration after --since.  [default: now]"
    ),
)
_DATA_DAYS = (
    click.option(
        "--since",
        metavar="TIME",
        required=True,
        help="Data from the day of TIME on: 2026-11-22, or a duration back from --until, else from now: P30D.",
    ),
    click.option(
        "--until",
        metavar="TIME",
        help="Data up to TIME, or a duration after --since. A day that TIME cuts counts whole; a bare date is where"
        " that day begins.  [default: now]",
    ),
)


def window_of(since: str | None, until: str | None) -> tuple[datetime | None, datetime | None]:
    """The window that --since and --until make; one that ends in the future is told.

    Raises:
        SettingsError: It is none.
    """
    now = datetime.now(UTC)
    begin, end = resolve_window(since, until, now=now)
    if (note := future_note(end, now)) is not None:
        click.echo(f"--until: {note}", err=True)
    return begin, end


def _choosing(window: Sequence[Callable[[Any], Any]], command: Callable[..., R]) -> Callable[..., R]:
    @functools.wraps(command)
    def chosen(**given: Any) -> R:
        since, until = window_of(given.pop("since"), given.pop("until"))
        ours = {name: given.pop(name) for name in Choice.__dataclass_fields__ if name in given}
        return command(choice=Choice(**ours, since=since, until=until), **given)

    for option in reversed((*_OPTIONS, *window)):
        chosen = option(chosen)
    return chosen


def choosing(command: Callable[..., R]) -> Callable[..., R]:
    """Give a command the shared options; it gets them as its argument `choice`."""
    return _choosing(_ARCHIVE_TIME, command)


def choosing_data(command: Callable[..., R]) -> Callable[..., R]:
    """As `choosing`, with a window of data time that must be given."""
    return _choosing(_DATA_DAYS, command)


files_option = click.option(
    "--files",
    type=click.Path(path_type=Path, dir_okay=False),
    metavar="CSV",
    help="Exactly the files of this list, as 'onc-mirror list --csv' writes it, whatever their extension.",
)
json_option = click.option("--json", "as_json", is_flag=True, help="Print JSON and nothing else on stdout.")
