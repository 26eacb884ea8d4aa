"""What an object says of itself: believed as a whole, or not at all."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

import pytest

from onc_mirror.archive.rows import parse_file
from onc_mirror.layout import Kind, mirrored_key, place_of, quarantine_key, superseded_key
from onc_mirror.model import Decision, Grade, StoredObject, Verdict
from onc_mirror.provenance import object_metadata
from onc_mirror.rebuild.testimony import Heard, Stranger, hear_mirrored, hear_quarantined

if TYPE_CHECKING:
    from collections.abc import Mapping

NOW = datetime(2026, 11, 22, 12, 30, 15, 250_000, tzinfo=UTC)
SHA = "0123456789abcdef" * 4
NAME = "TUMLIDAR001_20210503T000000.000Z-SDAQ-LIDAR.hdf5"
ROW = {
    "filename": NAME,
    "deviceCode": "TUMLIDAR001",
    "dateFrom": "2021-05-03T00:00:00.000Z",
    "archivedDate": "2021-05-04T00:00:00.000Z",
    "fileSize": 10,
    "compression": "",
}
FILE = parse_file(ROW, "TUMLIDAR001")


def stored(
    key: str, grade: Grade | None = Grade.CONTENT, changed: Mapping[str, str] = MappingProxyType({})
) -> StoredObject:
    metadata = object_metadata(FILE, Verdict(grade), now=NOW) | {"sha256": SHA, "md5": "ab" * 16}
    return StoredObject(key, 10, {name: text for name, text in (metadata | dict(changed)).items() if text})


def note(**changed: Any) -> bytes:
    told = {"reason": "truncated-file", "detail": "It ends early.", "grade": None, "sha256": SHA, "archive_row": ROW}
    return json.dumps(told | changed).encode()


@pytest.mark.parametrize("layout", ["raw", "strawb"])
def test_a_mirrored_object_tells_its_row_its_proof_and_its_moment(layout: Any) -> None:
    key = mirrored_key(FILE, layout)

    heard = hear_mirrored(stored(key))

    assert isinstance(heard, Heard)
    assert heard.moment == NOW
    assert (heard.outcome.decision, heard.outcome.grade) == (Decision.MIRRORED, Grade.CONTENT)
    assert (heard.outcome.key, heard.outcome.sha256, heard.outcome.size_bytes) == (key, SHA, 10)
    assert replace(heard.outcome.file, row={}, compression=None) == replace(FILE, row={}, compression=None)


@pytest.mark.parametrize(
    ("changed", "why"),
    [
        ({"onc-filename": ""}, "which file"),
        ({"onc-filename": "other.hdf5"}, "another key"),
        ({"onc-filename": "../../etc/passwd"}, "another key"),
        ({"mirrored-at": "yesterday"}, "when it was mirrored"),
        ({"sha256": "unknown"}, "measured"),
        ({"grade": "perfect"}, "how far"),
        ({"onc-file-size": "11"}, "10 bytes"),
    ],
)
def test_an_object_that_contradicts_itself_is_a_stranger(changed: dict[str, str], why: str) -> None:
    heard = hear_mirrored(stored(mirrored_key(FILE), changed=changed))

    assert isinstance(heard, Stranger)
    assert why in heard.why


def test_a_quarantined_object_tells_its_reason() -> None:
    heard = hear_quarantined(stored(quarantine_key(FILE, SHA), None), note())

    assert isinstance(heard, Heard)
    assert (heard.outcome.decision, heard.outcome.reason) == (Decision.QUARANTINED, "truncated-file")
    assert (heard.outcome.file, heard.outcome.detail) == (FILE, "It ends early.")


def test_damaged_bytes_say_nothing_of_their_file() -> None:
    assert hear_quarantined(stored(quarantine_key(FILE, SHA), None), note(reason="damaged-object")) is None


@pytest.mark.parametrize(
    "beside", [None, b"", b"[]", b"\xff", note(sha256="ff" * 32), note(reason=3), note(archive_row=None)]
)
def test_a_quarantined_object_without_its_own_note_is_a_stranger(beside: bytes | None) -> None:
    assert isinstance(hear_quarantined(stored(quarantine_key(FILE, SHA), None), beside), Stranger)


def test_every_key_that_is_made_is_read_back() -> None:
    keys = {
        mirrored_key(FILE): Kind.MIRRORED,
        mirrored_key(FILE, "strawb"): Kind.MIRRORED,
        quarantine_key(FILE, SHA): Kind.QUARANTINED,
        f"{quarantine_key(FILE, SHA)}.json": Kind.NOTE,
        superseded_key(FILE, SHA): Kind.SUPERSEDED,
    }
    for key, kind in keys.items():
        place = place_of(key)
        assert place is not None
        assert (place.kind, place.device.upper(), place.name) == (kind, "TUMLIDAR001", NAME)
