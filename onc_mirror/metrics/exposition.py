"""The metrics, in Prometheus's text format: names, labels, and what each tells. All of it is read from the ledger.

Runs are short processes, so none is scraped: each hands its counts to the ledger, and a file or a small server tells
what stands there (docs/decisions/0014). Moments are told as such and not as ages, so that a file stays true between
two runs. Labels are bounded: device codes of the device table (`other` for all else), flows, states, stages and
causes that are in the code.
"""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING

from prometheus_client import CollectorRegistry, generate_latest, write_to_textfile
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, SummaryMetricFamily
from prometheus_client.registry import Collector

from onc_mirror.devices import load_device_table
from onc_mirror.errors import TransientError
from onc_mirror.ledger.counters import Series
from onc_mirror.metrics.meter import ASKED_AT, BYTES, FILES, RETRIES, STAGE_RUNS, STAGE_SECONDS, Stage
from onc_mirror.model import Decision, State
from onc_mirror.scratch import bytes_free, bytes_used

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
    from datetime import datetime
    from pathlib import Path

    from prometheus_client import Metric

    from onc_mirror.ledger import Ledger
    from onc_mirror.ledger.vitals import DeviceVitals, FlowVitals
    from onc_mirror.settings import MetricsSettings

_READABLE = 0o644

OTHER = "other"
"""The label of all devices that are not in the device table."""

_OUTCOMES = (Decision.MIRRORED, Decision.ALREADY, Decision.HELD, Decision.QUARANTINED, Decision.GONE, Decision.FAILED)


@dataclass(frozen=True, slots=True, kw_only=True)
class Picture:
    """Everything that is told, at one moment.

    Attributes:
        devices: How devices stand.
        flows: How flows do.
        counters: What runs have counted.
        ledger_bytes: What the ledger's database takes.
        scratch_bytes: What downloads in progress take.
        scratch_free_bytes: What is free on their disk.
    """

    devices: tuple[DeviceVitals, ...]
    flows: tuple[FlowVitals, ...]
    counters: Mapping[Series, float]
    ledger_bytes: int
    scratch_bytes: int
    scratch_free_bytes: int


def take_picture(ledger: Ledger, scratch: Path, now: datetime) -> Picture:
    """Read everything that is told.

    Raises:
        LedgerUnavailableError: The ledger is out of reach.
    """
    return Picture(
        devices=ledger.vitals.devices(),
        flows=ledger.vitals.flows(now),
        counters=ledger.counters.read(),
        ledger_bytes=ledger.vitals.size_bytes(),
        scratch_bytes=bytes_used(scratch),
        scratch_free_bytes=bytes_free(scratch),
    )


class LedgerCollector(Collector):
    """Tells a new picture each time it is asked."""

    def __init__(self, look: Callable[[], Picture], device_codes: Collection[str]) -> None:
        self._look = look
        self._device_codes = device_codes

    def collect(self) -> Iterator[Metric]:
        """All metrics."""
        picture = self._look()
        yield from _of_flows(picture.flows)
        yield from _of_devices(picture.devices, self._device_codes)
        yield from _of_work(picture.counters, self._device_codes)
        yield _gauge("ledger_bytes", "Size of the ledger's database.", picture.ledger_bytes)
        yield _gauge("scratch_bytes", "What downloads in progress take.", picture.scratch_bytes)
        yield _gauge(
            "scratch_free_bytes", "What is free on the disk of the scratch folder.", picture.scratch_free_bytes
        )


def registry_of(look: Callable[[], Picture], settings: MetricsSettings) -> CollectorRegistry:
    """Return a registry with the metrics of the mirror and nothing else.

    Raises:
        SettingsError: The device table cannot be read.
    """
    registry = CollectorRegistry()
    registry.register(LedgerCollector(look, {device.code for device in load_device_table(settings.devices_file)}))
    return registry


def metrics_text(look: Callable[[], Picture], settings: MetricsSettings) -> str:
    """Return all metrics.

    Raises:
        MirrorError: What `look` raises, or the device table cannot be read.
    """
    return generate_latest(registry_of(look, settings)).decode()


def write_file(path: Path, ledger: Ledger, settings: MetricsSettings, now: datetime) -> None:
    """Write the metrics to a file, as a whole or not at all; everybody may read it: node_exporter has another user.

    Raises:
        MirrorError: The ledger is out of reach, or the device table cannot be read.
        OSError: The file cannot be written.
    """
    write_to_textfile(str(path), registry_of(lambda: take_picture(ledger, settings.scratch, now), settings))
    with suppress(OSError):  # of a file system without modes
        path.chmod(_READABLE)


def _of_flows(flows: Iterable[FlowVitals]) -> Iterator[Metric]:
    runs = CounterMetricFamily("onc_mirror_runs", "Runs that are over.", labels=("flow", "state"))
    ended = _times("last_end", "When a run ended last, whatever its end.", "flow")
    succeeded = _times("last_success", "When a run ended last in which nothing failed.", "flow")
    seconds = _gauges("last_run_seconds", "How long the run took that ended last.", "flow")
    for one in flows:
        for state, number in sorted(one.ended.items()):
            runs.add_metric((one.flow, state), number)
        _add_time(ended, one.flow, one.last_end_at)
        _add_time(succeeded, one.flow, one.last_success_at)
        if one.last_seconds is not None:
            seconds.add_metric((one.flow,), one.last_seconds)
    yield from (runs, ended, succeeded, seconds)


def _of_devices(devices: Iterable[DeviceVitals], known: Collection[str]) -> Iterator[Metric]:
    files = _gauges("files", "Files that the archive ever listed, by where they stand.", "device", "state")
    held = _times("oldest_held", "Since when the longest-held file is held.", "device")
    newest = _times("newest_data", "The end of the newest data that are mirrored.", "device")
    lag = _gauges("archive_lag_seconds", "How long after their end the archive took in the newest data.", "device")
    watermark = _times("watermark", "Archive time up to which all that the device has is known.", "device")
    doubted = _gauges("listing_doubted", "1 while listings of the device are not believed.", "device")
    counts = {(code, state): 0 for code in (*sorted(known), OTHER) for state in State}
    for one in devices:
        for state, number in one.files.items():
            counts[one.device_code if one.device_code in known else OTHER, state] += number
        if one.device_code not in known:
            continue
        _add_time(held, one.device_code, one.oldest_held_since)
        _add_time(newest, one.device_code, one.newest_data_at)
        _add_time(watermark, one.device_code, one.watermark)
        doubted.add_metric((one.device_code,), one.is_doubted)
        if one.archive_lag is not None:
            lag.add_metric((one.device_code,), one.archive_lag.total_seconds())
    for labels, number in counts.items():
        files.add_metric(labels, number)
    yield from (files, held, newest, lag, watermark, doubted)


def _of_work(counters: Mapping[Series, float], known: Collection[str]) -> Iterator[Metric]:
    ends = {(code, outcome.value): 0.0 for code in (*sorted(known), OTHER) for outcome in _OUTCOMES}
    came = {(code, ""): 0.0 for code in (*sorted(known), OTHER)}
    repeated = {("", cause): 0.0 for cause in sorted(_causes(TransientError))}
    for name, totals in ((FILES, ends), (BYTES, came), (RETRIES, repeated)):
        for series, value in counters.items():
            if series.name == name:
                code = series.device_code if series.device_code in known or not series.device_code else OTHER
                totals[code, series.kind] = totals.get((code, series.kind), 0.0) + value
    asked = _times("asked", "When a run last asked the archive what is new of the device.", "device")
    files = CounterMetricFamily(
        "onc_mirror_worked_files", "Files worked on, by their end.", labels=("device", "outcome")
    )
    size = CounterMetricFamily("onc_mirror_transferred_bytes", "Bytes mirrored or quarantined.", labels=("device",))
    retries = CounterMetricFamily("onc_mirror_retries", "What was tried again, by why it failed.", labels=("cause",))
    stages = SummaryMetricFamily("onc_mirror_stage_seconds", "Attempts at each stage, in seconds.", labels=("stage",))
    for code in sorted(known):
        if (moment := counters.get(Series(ASKED_AT, code))) is not None:
            asked.add_metric((code,), moment)
    for labels, value in ends.items():
        files.add_metric(labels, value)
    for (code, _), value in came.items():
        size.add_metric((code,), value)
    for (_, cause), value in repeated.items():
        retries.add_metric((cause,), value)
    for stage in Stage:
        number, seconds = (counters.get(Series(name, kind=stage), 0.0) for name in (STAGE_RUNS, STAGE_SECONDS))
        stages.add_metric((stage,), count_value=int(number), sum_value=seconds)
    yield from (asked, files, size, retries, stages)


def _causes(kind: type[TransientError]) -> set[str]:
    return {kind.reason}.union(*(_causes(leaf) for leaf in kind.__subclasses__()))


def _gauge(name: str, text: str, value: float) -> GaugeMetricFamily:
    return GaugeMetricFamily(f"onc_mirror_{name}", text, value)


def _gauges(name: str, text: str, *labels: str) -> GaugeMetricFamily:
    return GaugeMetricFamily(f"onc_mirror_{name}", text, labels=labels)


def _times(name: str, text: str, label: str) -> GaugeMetricFamily:
    return _gauges(f"{name}_timestamp_seconds", f"{text} Seconds since 1970, UTC.", label)


def _add_time(family: GaugeMetricFamily, label: str, moment: datetime | None) -> None:
    if moment is not None:
        family.add_metric((label,), moment.timestamp())
