"""The ledger as the rest of the mirror sees it: what is known of every file, device and run."""

from __future__ import annotations

from typing import TYPE_CHECKING, Self

from sqlalchemy import and_, false, func, select, true, update

from onc_mirror.changes import read_content
from onc_mirror.ledger import recording, summarising, widening
from onc_mirror.ledger.alerts import Alerts
from onc_mirror.ledger.beginnings import Beginnings
from onc_mirror.ledger.claims import Claims
from onc_mirror.ledger.counters import Counters
from onc_mirror.ledger.dossiers import Dossiers
from onc_mirror.ledger.failing import read_failures
from onc_mirror.ledger.leases import Leases
from onc_mirror.ledger.readings import Readings
from onc_mirror.ledger.restoring import Restoration
from onc_mirror.ledger.rows import archive_file, key_of
from onc_mirror.ledger.tables import devices, files, runs
from onc_mirror.ledger.transactions import Transactions
from onc_mirror.ledger.trials import Trials
from onc_mirror.ledger.upserting import insert_into
from onc_mirror.ledger.vitals import Vitals
from onc_mirror.model import ProvenObject, State

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable
    from datetime import datetime

    import pandas as pd
    from sqlalchemy import Engine

    from onc_mirror.ledger.summarising import DeviceSummary, FileRecord, RunRecord
    from onc_mirror.model import ArchiveFile, Outcome, TimeWindow
    from onc_mirror.report.document import RunReport
    from onc_mirror.selection import Selection


class Ledger:
    """What became of every archive file ever listed. `open_ledger` makes it.

    Thread-safe, and safe with other processes on the same database. Every method that writes has committed when it
    returns, and may be repeated. Times are UTC with their zone; `now` is the caller's clock. A run must be started
    (`start_run`) before anything is recorded for it.

    Every method raises `LedgerUnavailableError` when the database is locked, full, read-only or out of reach.

    Attributes:
        alerts: What is wrong, and who was told.
        beginnings: From where devices are listed for the first time.
        claims: What may be done to a file only while the run has it.
        counters: What runs have counted, for metrics.
        leases: Who works on what.
        dossiers: Single files, for operators.
        readings: When each object was last read back.
        restoration: What a rebuild writes.
        trials: How often files were tried in vain.
        vitals: How the mirror stands, in a few numbers.
    """

    def __init__(self, engine: Engine, place: str) -> None:
        self._database = Transactions(engine, place)
        self.alerts = Alerts(self._database)
        self.beginnings = Beginnings(self._database)
        self.claims = Claims(self._database)
        self.counters = Counters(self._database)
        self.leases = Leases(self._database)
        self.dossiers = Dossiers(self._database)
        self.readings = Readings(self._database)
        self.restoration = Restoration(self._database)
        self.trials = Trials(self._database)
        self.vitals = Vitals(self._database)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def __repr__(self) -> str:
        return f"Ledger({self._database.place!r})"

    def close(self) -> None:
        """Close all connections."""
        self._database.close()

    def start_run(  # noqa: PLR0913 - what is known of a run at its begin
        self,
        run_id: str,
        flow: str,
        now: datetime,
        *,
        alive_until: datetime | None = None,
        process: str | None = None,
        link: str | None = None,
    ) -> None:
        """Note that a run began; a second time changes nothing.

        Args:
            run_id: The run.
            flow: What runs.
            now: When it began.
            alive_until: Until when it counts as alive unless renewed.
            process: The process it lives in, as `processes` names it.
            link: Where it can be looked at.
        """
        row = {"run_id": run_id, "flow": flow, "started_at": now, "state": summarising.RUNNING}
        row |= {"alive_until": alive_until, "process": process, "link": link}
        with self._database.writing() as connection:
            connection.execute(insert_into(runs, self._database.dialect).on_conflict_do_nothing(), row)

    def finish_run(self, report: RunReport, now: datetime) -> None:
        """Keep the report of a run, and note that it ended."""
        values = {"finished_at": now, "state": report.state, "report": report.to_json(), "weighed_at": None}
        values |= {"window_since": report.since, "window_until": report.until}
        with self._database.writing() as connection:
            connection.execute(update(runs).where(runs.c.run_id == report.run_id).values(values))

    def runs(self, limit: int = 10) -> tuple[RunRecord, ...]:
        """Return the runs that began last, the newest first."""
        with self._database.reading() as connection:
            return summarising.latest_runs(connection, limit)

    def report(self, run_id: str) -> str | None:
        """Return the JSON of a finished run's report, None when there is none."""
        with self._database.reading() as connection:
            return connection.execute(select(runs.c.report).where(runs.c.run_id == run_id)).scalar_one_or_none()

    def record_listed(
        self, listed: Iterable[ArchiveFile], *, run_id: str, now: datetime, device_code: str | None = None
    ) -> None:
        """Enter rows that the archive listed for a device; None: each for its own.

        A new file is `listed`; one of another device quarantined, `wrong-device`, until its own device's listing has
        it. A known one keeps its state and what was settled for it; only what the archive said last is renewed, so
        that the planner still sees whether the file was replaced since. When it fails midway, a part of the rows is
        entered; entering all again is harmless.
        """
        statement = recording.listed_statement(self._database.dialect)
        rows = recording.listed_rows(listed, run_id=run_id, now=now, device_code=device_code)
        self._database.execute_all(statement, rows)

    def entries(self, device_code: str, filenames: Iterable[str] | None = None) -> pd.DataFrame:
        """Return what is known of a device's files, or of those with these names.

        Returns:
            One row per file with the columns of `entries.COLUMNS`: `state`, `reason`, `detail`, `rule`, `attempts`,
            `next_try_at`; `settled_at` and `settled_bytes`, what the archive's row said when the state was settled or
            an attempt last failed;
            `key`, `sha256`, `size_bytes` and `mirrored_at` of the proven object, if there ever was one; `revision`,
            which grows with everything that becomes of the file.
        """
        from onc_mirror.ledger.entries import read_entries  # noqa: PLC0415 - pandas takes long to import

        with self._database.reading() as connection:
            return read_entries(connection, device_code, filenames)

    def snapshot(self, device_code: str, window: TimeWindow, filenames: Iterable[str] = ()) -> pd.DataFrame:
        """Return what is known at this moment of the device's files whose data begin in a window.

        Args:
            device_code: The device.
            window: Of data time.
            filenames: Files that are in it wherever their data are.

        Returns:
            As `entries`, with `product_code`, `begins_at`, `ends_at` and `archived_at` as last listed, and with the
            flow that it was `entered_by`; by name.
        """
        from onc_mirror.ledger.snapshots import read_snapshot  # noqa: PLC0415 - pandas takes long to import

        with self._database.reading() as connection:
            return read_snapshot(connection, device_code, window, filenames)

    def first_start(self, flow: str) -> datetime | None:
        """Return when the first run of a flow began, None when there was none."""
        query = select(func.min(runs.c.started_at)).where(runs.c.flow == flow)
        with self._database.reading() as connection:
            return connection.execute(query).scalar_one_or_none()

    def unfinished(self, device_code: str) -> tuple[ArchiveFile, ...]:
        """Return the device's `listed` and `held` files, which wait for a transfer, as last listed, by name."""
        waiting = files.c.state.in_((State.LISTED, State.HELD))
        query = select(files).where(files.c.device_code == key_of(device_code, "")[0], waiting)
        with self._database.reading() as connection:
            return tuple(archive_file(row) for row in connection.execute(query.order_by(files.c.filename)))

    def no_longer_filtered(self, device_code: str, selection: Selection, limit: int) -> tuple[ArchiveFile, ...]:
        """Return the device's filtered files that a selection may want by now, newest data first; at most `limit`."""
        with self._database.reading() as connection:
            return widening.read_no_longer_filtered(connection, device_code, selection, limit)

    def failures(self, device_code: str, window: TimeWindow) -> tuple[Outcome, ...]:
        """Return the device's files that are held, or were given up, by name.

        Those with data that begin in a window, and those of whose data the archive does not say when they begin.

        Returns:
            For each how it ended last: `HELD`, or `QUARANTINED` when it was given up after its last attempt. What is
            quarantined for its bytes or its row is no failure.
        """
        with self._database.reading() as connection:
            return read_failures(connection, device_code, window)

    def proven_object(self, file: ArchiveFile) -> ProvenObject | None:
        """Return the proven object of a file, whatever the file's state is since; None when there never was one."""
        device_code, filename = key_of(file.device_code, file.filename)
        query = select(files.c.key, files.c.sha256, files.c.damaged_at, files.c.found).where(
            files.c.device_code == device_code, files.c.filename == filename
        )
        with self._database.reading() as connection:
            row = connection.execute(query).one_or_none()
        if row is None or row.key is None or row.sha256 is None:
            return None
        return ProvenObject(row.key, row.sha256, damaged=row.damaged_at is not None, content=read_content(row.found))

    def record(self, outcome: Outcome, *, run_id: str, now: datetime, claimed: bool = False) -> bool:
        """Enter what became of one file; see `record_many`. If `claimed`, only while the run has it, else False."""
        if claimed:
            return self.claims.record(outcome, run_id=run_id, now=now)
        self.record_many((outcome,), run_id=run_id, now=now)
        return True

    def record_many(self, outcomes: Iterable[Outcome], *, run_id: str, now: datetime) -> None:
        """Enter what became of files in a run.

        * `MIRRORED`, and `ALREADY` with a key (the bucket held it): mirrored, and settled as this row says.
          `ALREADY` without a key changes nothing.
        * `HELD` and `FAILED`: held until the outcome's `next_try_at`, with one attempt more if the file is to blame,
          or with the first when the archive's row has changed since the last. An older proven object stays known;
          held because it is missing or damaged, it counts as damaged until the file is mirrored again.
        * `QUARANTINED`: quarantined, and settled. With a hash it is about bytes; for a reason of `BY_THE_ROW` it is
          about the row alone, and counts only for a file that was so quarantined before, or is `listed` (`gone`, if
          the row came under another device); else the file was given up.
        * `FILTERED`: filtered by the rule named as the reason, unless mirrored or quarantined; one that was held
          keeps its ladder and its next try.
        * `GONE`: gone; an object stays known.

        The run's leases on the files end.
        """
        for (state, grounds), rows in recording.outcome_rows(outcomes, run_id=run_id, now=now).items():
            self._database.execute_all(recording.outcome_statement(self._database.dialect, state, grounds), rows)

    def watermark(self, device_code: str) -> datetime | None:
        """Return the archive time up to which all of the device's rows are in the ledger, None when there is none."""
        query = select(devices.c.watermark).where(devices.c.device_code == device_code)
        with self._database.reading() as connection:
            return connection.execute(query).scalar_one_or_none()

    def advance_watermark(self, device_code: str, until: datetime, now: datetime) -> None:
        """Move the device's watermark to `until`, never backwards."""
        insert = insert_into(devices, self._database.dialect)
        changes = {"watermark": insert.excluded.watermark, "updated_at": insert.excluded.updated_at}
        later = insert.excluded.watermark > devices.c.watermark
        row = {"device_code": device_code, "watermark": until, "updated_at": now}
        with self._database.writing() as connection:
            upsert = insert.on_conflict_do_update(index_elements=["device_code"], set_=changes, where=later)
            connection.execute(upsert, row)

    def doubt_device(self, device_code: str, doubt: str | None, now: datetime) -> None:
        """Note since when, and why, a device's listings are not believed; None: they are."""
        since = None if doubt is None else func.coalesce(devices.c.suspicious_since, now)
        changes = {"suspicion": doubt, "suspicious_since": since}
        differs = devices.c.suspicion.is_not(None) if doubt is None else true()
        with self._database.writing() as connection:
            connection.execute(update(devices).where(devices.c.device_code == device_code, differs).values(changes))

    def archived_between(self, device_code: str, window: TimeWindow) -> tuple[ArchiveFile, ...]:
        """Return the device's files, archived in a window when last listed, that its listings must have, by name."""
        inside = and_(files.c.archived_at >= window.since, files.c.archived_at < window.until)
        expected = and_(files.c.state != State.GONE, ~recording.is_stray())
        query = select(files).where(files.c.device_code == key_of(device_code, "")[0], inside, expected)
        with self._database.reading() as connection:
            return tuple(archive_file(row) for row in connection.execute(query.order_by(files.c.filename)))

    def archive_times(self, device_code: str, since: datetime) -> tuple[datetime, ...]:
        """Return when the device's known files were archived, sorted, from a moment on."""
        this = and_(files.c.device_code == key_of(device_code, "")[0], files.c.archived_at >= since)
        query = select(files.c.archived_at).where(this).order_by(files.c.archived_at)
        with self._database.reading() as connection:
            return tuple(connection.execute(query).scalars())

    def summary(self) -> tuple[DeviceSummary, ...]:
        """Return every device that has a watermark or a file, sorted by code."""
        with self._database.reading() as connection:
            return summarising.summarise_devices(connection)

    def files_in(
        self, *states: State, device_codes: Collection[str] = (), limit: int | None = None
    ) -> tuple[FileRecord, ...]:
        """Return files in one of these states, of all devices or some; at most `limit`, the longest in it first."""
        with self._database.reading() as connection:
            return summarising.read_files(connection, states, device_codes, limit)

    def try_writing(self) -> None:
        """Do as if something were written; nothing changes."""
        with self._database.writing() as connection:
            connection.execute(update(runs).where(false()).values(state=runs.c.state))
