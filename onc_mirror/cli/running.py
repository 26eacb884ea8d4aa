"""What the commands that begin a run have in common: the parts, what people see meanwhile, and the answer."""

from __future__ import annotations

import logging
from contextlib import contextmanager
from typing import TYPE_CHECKING

from rich.console import Console

from onc_mirror.cli.life_signs import life_signs
from onc_mirror.cli.progress import progress_bar, waits_told
from onc_mirror.mirror import open_mirror

if TYPE_CHECKING:
    from collections.abc import Iterator

    import click

    from onc_mirror.mirror import Mirror
    from onc_mirror.settings import MirrorSettings
    from onc_mirror.transfer.progress import Progress


def quieten(context: click.Context, *, as_json: bool) -> None:
    """Leave the log out where a table says it all again at the end, in better words."""
    if not as_json and not context.find_root().params["verbose"]:
        logging.getLogger("onc_mirror").setLevel(logging.CRITICAL)


@contextmanager
def running(context: click.Context, settings: MirrorSettings) -> Iterator[tuple[Mirror, Progress]]:
    """Open the parts, and show on stderr how far the run is and what it waits for.

    In a terminal by a bar, elsewhere by lines of the log; who asked for JSON gets these with --verbose only.
    """
    verbose = context.find_root().params["verbose"]
    console = Console(stderr=True)
    watched = (
        progress_bar(console)
        if console.is_terminal
        else life_signs(str(context.info_name), settings.store_url, is_wanted=not context.params["as_json"])
    )
    with open_mirror(settings) as parts, watched as watcher, waits_told(console, as_log=verbose):
        yield parts, watcher
