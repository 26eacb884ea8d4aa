"""The deployed reconcile, through a real Prefect server and worker: what it mends, and what is seen of it."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from onc_mirror.ledger import open_ledger
from onc_mirror.mirror import open_mirror
from onc_mirror.reconcile.story import ReconcileRequest, reconcile
from onc_mirror.store import open_store

if TYPE_CHECKING:
    from tests.support.flow_runs import ArchiveControl, Deployed

DEVICE = "TUMPMTSPECTROMETER001"
NIGHTLY = "reconcile/nightly"


def mirror_an_hour(deployed: Deployed) -> list[str]:
    """Mirror the last hours of one device; returns the keys of its objects."""
    since = datetime.now(UTC) - timedelta(hours=3)
    assert deployed.run(devices=[DEVICE], since=since.isoformat()).state_type == "COMPLETED"
    keys = sorted(deployed.objects("raw/"))
    assert len(keys) > 3
    return keys


def last_document(deployed: Deployed) -> dict[str, Any]:
    key = max(key for key in deployed.objects("reports/reconcile/") if key.endswith("-comparison.json"))
    content: dict[str, Any] = json.loads(deployed.read(key))
    return content


def test_what_was_lost_in_the_bucket_is_fetched_again_and_told(deployed: Deployed, archive: ArchiveControl) -> None:
    missing, damaged, *_ = keys = mirror_an_hour(deployed)
    with open_store(deployed.settings) as store:
        store.delete(missing)
        store.write(damaged, b"mine", "text/plain")
    archive.clear()

    run = deployed.run(NIGHTLY, devices=[DEVICE], days=1)

    assert (run.state_type, run.state_name) == ("COMPLETED", "Completed"), run.message
    assert "2 differences repaired." in run.message
    assert set(keys) <= set(deployed.objects("raw/"))
    shown = {row["file"]: (row["standing"], row["outcome"]) for row in deployed.table(run, "reconcile-differences")}
    assert shown[missing.rpartition("/")[2]] == ("missing-object", "mirrored")
    assert shown[damaged.rpartition("/")[2]] == ("damaged-object", "mirrored")
    assert {row["device"] for row in deployed.table(run, "reconcile-standings")} == {DEVICE}
    told = {one["key"]: one["outcome"] for one in last_document(deployed)["devices"][0]["differences"]}
    assert (told[missing], told[damaged]) == ("mirrored", "mirrored")


def test_an_emptied_bucket_fails_the_run_and_a_dry_run_writes_nothing(
    deployed: Deployed, archive: ArchiveControl
) -> None:
    since = datetime.now(UTC) - timedelta(hours=9)
    assert deployed.run(devices=[DEVICE], since=since.isoformat()).state_type == "COMPLETED"
    keys = deployed.objects("raw/")
    assert len(keys) > 20
    with open_store(deployed.settings) as store:
        for key in keys:
            store.delete(key)
    before = deployed.objects()
    archive.clear()

    dry = deployed.run(NIGHTLY, devices=[DEVICE], days=1, dry_run=True)

    assert deployed.objects() == before
    run = deployed.run(NIGHTLY, devices=[DEVICE], days=1)

    for one in (dry, run):
        assert one.state_type == "FAILED"
        assert "onc-mirror reconcile --force" in one.message
    assert not deployed.objects("raw/")
    assert not [one for one in archive.requests() if one["endpoint"] == "download"]


def test_the_flow_and_the_run_in_one_process_find_the_same(deployed: Deployed) -> None:
    victim, *_ = mirror_an_hour(deployed)
    with open_store(deployed.settings) as store:
        store.write(f"{victim.rpartition('/')[0]}/notes.txt", b"mine", "text/plain")
    request = ReconcileRequest(devices=(DEVICE,), days=1, until=datetime.now(UTC) - timedelta(hours=1))
    window = {"until": request.until.isoformat() if request.until else "", "days": 1}

    run = deployed.run(NIGHTLY, devices=[DEVICE], **window)
    by_flow = last_document(deployed)
    with open_mirror(deployed.settings) as mirror:
        alone = json.loads(reconcile(mirror, request).to_json())

    assert (run.state_type, run.state_name) == ("COMPLETED", "CompletedWithFindings")
    assert [one["standing"] for one in by_flow["devices"][0]["differences"]] == ["unknown-object"]
    assert by_flow["devices"][0]["differences"] == alone["devices"][0]["differences"]
    assert by_flow["window"] == alone["window"]
    with open_ledger(deployed.settings.ledger) as ledger:
        assert [one.flow for one in ledger.runs(2)] == ["reconcile", "reconcile"]
