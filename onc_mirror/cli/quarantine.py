"""`onc-mirror quarantine`: which files are bad and why, another try for them, and the word that one will do."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import click

from onc_mirror.cli.file_tables import MOST, file_json, print_files
from onc_mirror.cli.options import devices_option, json_option
from onc_mirror.cli.tables import print_table, print_text, readable
from onc_mirror.errors import MirrorError, SettingsError
from onc_mirror.ledger import open_ledger
from onc_mirror.model import Grade
from onc_mirror.quarantine.checks import check_release, check_retry, look_up
from onc_mirror.quarantine.checks import retry as retry_files
from onc_mirror.quarantine.words import facts, next_step, note_facts
from onc_mirror.settings import LedgerSettings, load_settings
from onc_mirror.wording import counted, some_of

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from onc_mirror.ledger import Dossier, Ledger
    from onc_mirror.report.document import RunReport

_COLUMNS = {
    "file": "filename",
    "device": "device",
    "reason": "reason",
    "since": "since",
    "attempts": "attempts",
    "bad bytes": "quarantine_key",
    "what happened": "detail",
}

_devices = devices_option("Only files of this device.", "codes")
_device = click.option("--device", "-d", "code", metavar="CODE", help="Its device, where several have such a file.")
_reasons = click.option("--reason", "reasons", multiple=True, metavar="REASON", help="Only files with this reason.")


@click.group()
def quarantine() -> None:
    """Look at files that cannot be proven readable, have them tried again, or release them.

    A quarantined file is tried again by itself when the archive's row of it changes. Its bad bytes are kept under
    quarantine/ in the bucket with a note beside them.
    """


@quarantine.command("list")
@_devices
@_reasons
@click.option("--all", "every", is_flag=True, help=f"Name all of them, not only the oldest {MOST}.")
@json_option
def list_quarantined(*, codes: tuple[str, ...], reasons: tuple[str, ...], every: bool, as_json: bool) -> None:
    """Name the quarantined files, longest in that state first.

    Needs only the ledger. Times are UTC. JSON names all.
    """
    with _ledger() as ledger:
        limit = None if every or as_json else MOST
        files, total = ledger.dossiers.quarantined(device_codes=codes, reasons=reasons, limit=limit)
    if as_json:
        click.echo(json.dumps({"files": [file_json(file) for file in files]}, indent=2))
    else:
        print_files("Quarantined", files, total, _COLUMNS)


@quarantine.command()
@click.argument("filename", metavar="FILE")
@_device
@json_option
def show(*, filename: str, code: str | None, as_json: bool) -> None:
    """Show all that is known of FILE, and what happens next to it; of a file in any state.

    The note beside bad bytes is read from the bucket where ONC_MIRROR_STORE_URL is set.
    """
    with _ledger() as ledger:
        dossier = look_up(ledger, filename, code)
    note, missing = _read_note(dossier)
    if as_json:
        known = {
            "facts": facts(dossier),
            "archive_row": dict(dossier.file.row),
            "note": note,
            "note_missing": missing,
        }
        click.echo(json.dumps(known | {"next": next_step(dossier)}, indent=2, default=str))
        return
    _print_facts("Known", facts(dossier))
    _print_facts("The archive's row, as last listed", {name: str(value) for name, value in dossier.file.row.items()})
    if note:
        _print_facts("The note beside the bad bytes", note_facts(note))
    if missing:
        print_text(missing)
    print_text(next_step(dossier))


@quarantine.command()
@click.argument("filenames", metavar="[FILE]...", nargs=-1)
@_devices
@_reasons
@click.option("--all", "every", is_flag=True, help="All quarantined files of the devices named.")
@json_option
def retry(
    *, filenames: tuple[str, ...], codes: tuple[str, ...], reasons: tuple[str, ...], every: bool, as_json: bool
) -> None:
    """Have files fetched anew by the next run, whatever window it lists, as if they had never failed.

    Name them, or take those of a --reason, or --all of a --device. Needs only the ledger. Files refused for their
    name or row are left out: a download does not change those.
    """
    if bool(filenames) + bool(reasons) + every != 1:
        raise SettingsError("Say which files: names, or --reason, or --all with --device; one of the three.")
    if every and not codes:
        raise SettingsError("--all needs a --device.")
    with _ledger() as ledger:
        wanted = _wanted(ledger, filenames, codes, reasons)
        held = retry_files(ledger, wanted, datetime.now(UTC))
    left = [key for key in wanted if key not in held]
    if as_json:
        told = {"held": held, "left": left}
        rows = {
            name: [{"device": code, "filename": file} for code, file in sorted(keys)] for name, keys in told.items()
        }
        click.echo(json.dumps(rows, indent=2))
        return
    print_text(_told_retry(sorted({code for code, _ in held}), len(held), left))


@quarantine.command()
@click.argument("filenames", metavar="FILE...", nargs=-1, required=True)
@_device
@click.option(
    "--grade",
    type=click.Choice([str(grade) for grade in Grade]),
    help="How far the bytes must be proven.  [default: ONC_MIRROR_GRADE]",
)
@json_option
@click.pass_context
def release(
    context: click.Context, *, filenames: tuple[str, ...], code: str | None, grade: str | None, as_json: bool
) -> None:
    """Prove the quarantined bytes of FILE once more, and publish them where they pass.

    For bytes that are all that there will ever be, or that a newer validator reads: --grade size publishes whatever
    has the size that the archive lists. The object says which grade it passed and that an operator released it. What
    is under quarantine/ stays. It needs all that a run needs.

    Exit codes: 0 all were released, 1 something failed, 2 no such quarantined bytes, 3 some stay in quarantine.
    """
    from onc_mirror.mirror import open_mirror  # noqa: PLC0415 - the other commands need no more than the ledger
    from onc_mirror.quarantine.releasing import release as release_files  # noqa: PLC0415 - as above

    settings = load_settings()
    with open_mirror(settings) as mirror:
        dossiers = [look_up(mirror.ledger, name, code) for name in dict.fromkeys(filenames)]
        for dossier in dossiers:
            check_release(dossier)
        report = release_files(mirror, dossiers, settings.grade if grade is None else Grade(grade))
    if as_json:
        click.echo(report.to_json())
    else:
        _print_release(report)
    context.exit(report.exit_code)


def _ledger() -> Ledger:
    settings = load_settings(LedgerSettings)
    return open_ledger(settings.ledger, variable=settings.ledger_variable, create=False)


def _wanted(
    ledger: Ledger, filenames: Sequence[str], codes: Sequence[str], reasons: Sequence[str]
) -> list[tuple[str, str]]:
    if not filenames:
        files, _ = ledger.dossiers.quarantined(device_codes=codes, reasons=reasons)
        return [(file.device_code, file.filename) for file in files]
    if len(codes) > 1:
        raise SettingsError("With names of files, say one --device or none.")
    dossiers = [look_up(ledger, name, *codes) for name in dict.fromkeys(filenames)]
    for dossier in dossiers:
        check_retry(dossier)
    return [(dossier.file.device_code, dossier.file.filename) for dossier in dossiers]


def _told_retry(codes: Sequence[str], held: int, left: Sequence[tuple[str, str]]) -> str:
    told = []
    if held:
        devices = " ".join(f"--device {code}" for code in codes)
        told.append(
            f"{counted(held, 'file')} of {', '.join(codes)} held and due: the next run that asks for the device"
            " fetches and proves what is held, as if it had never failed. To have that now: onc-mirror mirror"
            f" {devices}."
        )
    if left:
        names = some_of([readable(name) for _, name in left])
        told.append(f"Left alone, as they are quarantined for their row, or a run works on them: {names}.")
    return " ".join(told) or "No quarantined file is like that; nothing is changed."


def _read_note(dossier: Dossier) -> tuple[dict[str, Any] | None, str | None]:
    """Return the note beside the bad bytes, or why there is none to show; nothing of both where no bytes are."""
    if dossier.quarantine_key is None:
        return None, None
    from onc_mirror.store import open_store  # noqa: PLC0415 - only where there is a note
    from onc_mirror.transfer import quarantining  # noqa: PLC0415 - as above

    key = quarantining.note_key(dossier.quarantine_key)
    try:
        with open_store(load_settings()) as store:
            note = quarantining.parse_note(quarantining.read_note(store, dossier.quarantine_key))
    except MirrorError as error:
        return None, f"The note {key} cannot be read: {error}"
    return note, None if note is not None else f"The note {key} is not what was written there."


def _print_facts(title: str, told: Mapping[str, str]) -> None:
    print_table(title, ("what", "value"), [(name, text) for name, text in told.items()])


def _print_release(report: RunReport) -> None:
    rows = [
        (file.filename, "released" if file.decision == "mirrored" else str(file.decision), file.reason, file.detail)
        for file in report.files
    ]
    print_table(f"Run {report.run_id}", ("file", "outcome", "reason", "what happened"), rows)
