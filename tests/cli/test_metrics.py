"""`onc-mirror metrics`, and the metrics that runs leave."""

from __future__ import annotations

import re
import socket
import struct
from contextlib import contextmanager
from typing import TYPE_CHECKING

import httpx
from prometheus_client.parser import text_string_to_metric_families

from infra.sandbox.archive.faults import Kind
from onc_mirror.ledger import open_ledger
from onc_mirror.metrics.serving import serving
from onc_mirror.mirror import utc_now
from onc_mirror.settings import MetricsSettings
from onc_mirror.threads import side_by_side
from tests.support.prometheus import prometheus_programs, running_prometheus
from tests.support.raw_server import unused_url
from tests.support.waiting import wait_until

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    import pytest

    from tests.support.archive import RunningArchive
    from tests.support.console import Answer, Console
    from tests.support.prometheus import Prometheus

DEVICE = "TUMSTANDARDMODULE001"
OTHER = "TUMSTANDARDMODULE004"
NEEDED = {"ONC_TOKEN": None, "ONC_MIRROR_STORE_URL": None, "ONC_MIRROR_ARCHIVE_URL": None}


def samples(text: str) -> dict[tuple[str, ...], float]:
    """Value of each sample by name and labels, in the order of their names."""
    return {
        (one.name, *(value for _, value in sorted(one.labels.items()))): one.value
        for family in text_string_to_metric_families(text)
        for one in family.samples
    }


def test_runs_are_counted_over_processes_and_told_in_a_file(
    in_process: Callable[..., Answer], archive: RunningArchive, tmp_path: Path
) -> None:
    file = tmp_path / "onc-mirror.prom"
    archive.fault(Kind.NOT_READY, filename=f"{DEVICE}_20220502T100000*MODULE.hdf5")
    window = ("--since", "2022-05-02T10:00", "--until", "PT2H", "--json")

    first = in_process("mirror", "-d", DEVICE, *window, ONC_MIRROR_METRICS_FILE=str(file)).json
    once = samples(file.read_text("utf-8"))
    second = in_process("mirror", "-d", OTHER, *window, ONC_MIRROR_METRICS_FILE=str(file)).json
    twice = samples(file.read_text("utf-8"))
    told = samples(in_process("metrics", **NEEDED).out)

    assert (first["mirrored"], first["held"]) == (1, 1)
    assert once["onc_mirror_files", DEVICE, "held"] == once["onc_mirror_worked_files_total", DEVICE, "held"] == 1
    assert once["onc_mirror_transferred_bytes_total", DEVICE] == first["bytes"] > 0
    assert once["onc_mirror_retries_total", "not-ready"] == 1
    assert once["onc_mirror_stage_seconds_count", "publish"] == 1
    assert once["onc_mirror_stage_seconds_sum", "download"] > 0
    assert once["onc_mirror_runs_total", "mirror-on-demand", "completed-with-held"] == 1
    assert second["mirrored"] > 0
    assert twice["onc_mirror_stage_seconds_count", "publish"] == 1 + second["mirrored"]
    assert twice["onc_mirror_runs_total", "mirror-on-demand", "completed"] == 1
    assert {name: value for name, value in told.items() if "scratch" not in name[0]}.items() >= {
        name: value for name, value in twice.items() if "scratch" not in name[0]
    }.items()
    assert [path.name for path in tmp_path.glob("onc-mirror.prom*")] == ["onc-mirror.prom"]


def test_metrics_that_cannot_be_written_cost_no_run(
    in_process: Callable[..., Answer], tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    window = ("--since", "2022-05-02T10:00", "--until", "PT1H")

    answer = in_process(
        "-v", "mirror", "-d", DEVICE, *window, ONC_MIRROR_METRICS_FILE=str(tmp_path / "no" / "a.prom")
    )

    assert answer.code == 0
    assert "metrics=not-written" in caplog.text
    assert "No such file or directory" in caplog.text


def test_a_ledger_that_is_not_there_is_told_as_such_and_not_created(
    in_process: Callable[..., Answer], tmp_path: Path
) -> None:
    told = in_process("metrics", **NEEDED)

    assert (told.code, told.out) == (2, "")
    assert "There is no ledger at " in told.err
    assert not (tmp_path / "state").exists()


def test_a_ledger_out_of_reach_is_told_with_its_cause(console: Console, tmp_path: Path) -> None:
    (tmp_path / "state").mkdir()
    (tmp_path / "state" / "ledger.db").write_text("This is no database, and long enough to be seen as none." * 20)

    with served(console) as target:
        answer = httpx.get(f"http://{target}/metrics", trust_env=False)

    assert answer.status_code == 503
    assert "ledger.db" in answer.text


def test_a_client_that_goes_away_or_asks_for_nonsense_leaves_a_line_and_no_traceback(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]
) -> None:
    caplog.set_level("INFO", "onc_mirror")
    settings = MetricsSettings.model_validate({"state_dir": tmp_path})
    open_ledger(settings.ledger).close()
    with serving("127.0.0.1", 0, settings, utc_now) as server, side_by_side(1, "serve") as pool:
        pool.submit(server.serve_forever)
        with socket.create_connection(("127.0.0.1", server.server_port)) as client:
            client.sendall(b"GET /metrics")
            # Close with a reset, as a scraper that is killed does.
            client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))

        wait_until(lambda: "scrape=dropped cause=ConnectionResetError" in caplog.text)
        address = f"http://127.0.0.1:{server.server_port}/metrics"
        nonsense = {"Accept": "application/openmetrics-text; version=none"}
        refused = httpx.get(address, headers=nonsense, trust_env=False)
        answer = httpx.get(address, trust_env=False)
        server.shutdown()

    assert (refused.status_code, answer.status_code) == (503, 200)
    assert "scrape=failed" in caplog.text
    assert "Traceback" not in capfd.readouterr().err


@contextmanager
def served(console: Console) -> Iterator[str]:
    """The address at which the metrics are told."""
    with console.start("metrics", "--serve", "0") as process:
        said = process.stdout.readline() if process.stdout else ""
        found = re.search(r"http://(\S+)/metrics", said)
        assert found, said
        yield found.group(1)


def test_prometheus_scrapes_what_runs_did_and_sees_one_fail(
    console: Console, in_process: Callable[..., Answer], tmp_path: Path
) -> None:
    prometheus_programs()
    open_ledger(f"sqlite:///{console.state / 'ledger.db'}").close()
    with served(console) as target, running_prometheus(tmp_path, target) as server:
        wait_until(lambda: server.value('up{job="onc-mirror"}') == 1)
        before = server.value(success())
        done = in_process("mirror", "-d", DEVICE, "--json")
        wait_until(lambda: server.value(success()) is not None)
        seen = {name: server.value(expression(name)) for name in ("mirrored", "transferred", "downloads")}
        assert in_process("mirror", "-d", DEVICE, ONC_MIRROR_ARCHIVE_URL=unused_url()).code == 1

        wait_until(lambda: ("OncMirrorRunFailed", "pending") in server.alerts())

        assert before is None
        assert done.json["mirrored"] > 0
        assert seen["mirrored"] == seen["downloads"] == done.json["mirrored"]
        assert seen["transferred"] == done.json["bytes"]
        assert repeats(server) == 1
        assert server.broken_rules() == []


def success() -> str:
    return 'onc_mirror_last_success_timestamp_seconds{flow="mirror-hour"}'


def expression(name: str) -> str:
    return {
        "mirrored": f'onc_mirror_files{{device="{DEVICE}",state="mirrored"}}',
        "transferred": f'onc_mirror_transferred_bytes_total{{device="{DEVICE}"}}',
        "downloads": 'onc_mirror_stage_seconds_count{stage="download"}',
    }[name]


def repeats(server: Prometheus) -> float | None:
    return server.value('onc_mirror_retries_total{cause="connection-refused"}')
