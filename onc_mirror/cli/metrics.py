"""`onc-mirror metrics`: numbers for Prometheus, from the ledger alone."""

from __future__ import annotations

from typing import Any

import click

from onc_mirror.metrics.exposition import metrics_text
from onc_mirror.metrics.serving import look, serving
from onc_mirror.mirror import utc_now
from onc_mirror.settings import MetricsSettings, load_settings

_HIGHEST_PORT = 65535


class ListenAddress(click.ParamType[tuple[str, int]]):
    """Where to listen: `9464`, `0.0.0.0:9464`, `[::]:9464`."""

    name = "[address:]port"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> tuple[str, int]:
        """Return address and port; this machine alone unless an address is given."""
        if isinstance(value, tuple):
            return value
        address, _, port = str(value).rpartition(":")
        if not (port.isascii() and port.isdecimal() and int(port) <= _HIGHEST_PORT):
            self.fail(f"{value!r} is no place to listen, such as 9464 or 0.0.0.0:9464.", param, ctx)
        return address.strip("[]") or "127.0.0.1", int(port)


@click.command()
@click.option(
    "--serve", "place", type=ListenAddress(), help="Answer Prometheus there until stopped; port 0: any free one."
)
def metrics(*, place: tuple[str, int] | None) -> None:
    """Tell the metrics, in Prometheus's text format.

    Needs no token and no store, only ONC_MIRROR_LEDGER_URL or ONC_MIRROR_STATE_DIR. For node_exporter, have each run
    write them to ONC_MIRROR_METRICS_FILE instead.

    Exit codes: 0; 1 the ledger is out of reach; 2 wrong option or setting, or no ledger there. With --serve these are
    answered by HTTP 503.
    """
    settings = load_settings(MetricsSettings)
    if place is None:
        click.echo(metrics_text(lambda: look(settings, utc_now()), settings), nl=False)
        return
    _serve(place, settings)


def _serve(place: tuple[str, int], settings: MetricsSettings) -> None:
    address, port = place
    with serving(address, port, settings, utc_now) as server:
        host = f"[{address}]" if ":" in address else address
        click.echo(f"Metrics are at http://{host}:{server.server_port}/metrics, until Ctrl-C.")
        server.serve_forever()
