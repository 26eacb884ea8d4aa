"""`python -m infra.sandbox.archive`: runs the stand-in in the foreground until it is told to stop."""

from __future__ import annotations

import argparse
import asyncio
import signal
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import isodate

from infra.sandbox.archive.config import DEFAULT_TOKEN, ArchiveConfig, Size
from infra.sandbox.archive.listener import PortTakenError
from infra.sandbox.archive.server import serving
from infra.sandbox.archive.service import Service

if TYPE_CHECKING:
    from collections.abc import Sequence

_UNITS = {"kB": 10**3, "MB": 10**6, "GB": 10**9}


def main(arguments: Sequence[str] | None = None) -> int:
    """Run; returns the exit code: 0 after a signal, 2 when the port is busy."""
    options = _parser().parse_args(arguments)
    config = ArchiveConfig(
        token=options.token,
        cadence=options.cadence,
        size=options.size,
        sizes=dict(options.size_of),
        paging=options.paging,
        seed=options.seed,
        archive_delay=options.archive_delay,
        archive_jitter=options.archive_jitter,
        data_start=options.data_start,
    )
    try:
        asyncio.run(_serve(Service(config, options.state), options.port, options.now))
    except PortTakenError as error:
        print(f"archive stand-in: {error}", file=sys.stderr)  # noqa: T201  it is a program
        return 2
    return 0


async def _serve(service: Service, port: int, now: datetime | None) -> None:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stop.set)
    if now is not None:
        service.shelf.clock.set(now, running=True)
    async with serving(service, port) as listener:
        print(f"http://127.0.0.1:{listener.port}/", flush=True)  # noqa: T201  as above
        await stop.wait()


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m infra.sandbox.archive", description="A stand-in for the Oceans 3.0 archive on 127.0.0.1."
    )
    add = parser.add_argument
    add("--port", type=int, required=True, help="port to listen on, 0 for any free one")
    add("--state", type=Path, required=True, help="folder for what is kept between runs")
    add("--token", default=DEFAULT_TOKEN, help="the token that is accepted (%(default)s)")
    add("--cadence", choices=("hourly", "real"), default="hourly", help="how often files appear (%(default)s)")
    add("--size", type=_size, default="tiny", help="tiny, realistic or bytes such as 60kB, 24MB, 3GB (%(default)s)")
    add("--size-of", type=_size_of, action="append", default=[], metavar="CODE=SIZE", help="as --size, for a product")
    add("--paging", choices=("page", "dateFrom"), default="page", help="what moves between pages (%(default)s)")
    add("--seed", type=int, default=0, help="another seed is another archive (%(default)s)")
    add("--archive-delay", type=_duration, default=timedelta(minutes=1), help="ISO 8601, from data to archive (PT1M)")
    add("--archive-jitter", type=_duration, default=timedelta(minutes=2), help="ISO 8601, added at most (PT2M)")
    add("--data-start", type=_moment, default=ArchiveConfig().data_start, help="begin of the oldest data")
    add("--now", type=_moment, default=None, help="what time the stand-in's clock shows at the start")
    return parser


def _size(text: str) -> Size:
    if text in {"tiny", "realistic"}:
        return "tiny" if text == "tiny" else "realistic"
    for unit, factor in _UNITS.items():
        if text.endswith(unit):
            return round(float(text.removesuffix(unit)) * factor)
    return int(text)


def _size_of(text: str) -> tuple[str, Size]:
    product, _, size = text.partition("=")
    return product, _size(size)


def _duration(text: str) -> timedelta:
    try:
        parsed = isodate.parse_duration(text)
    except isodate.ISO8601Error:
        raise ValueError(text) from None
    if not isinstance(parsed, timedelta):
        raise TypeError(text)
    return parsed


def _moment(text: str) -> datetime:
    moment = datetime.fromisoformat(text)
    return moment if moment.tzinfo is not None else moment.replace(tzinfo=UTC)


if __name__ == "__main__":
    sys.exit(main())
