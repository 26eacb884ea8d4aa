"""The deployed reconcile, through a real Prefect server and worker: what it mends, and what is seen of it."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from flows.reconcile import reconcile as reconcile_flow
from onc_mirror.ledger import open_ledger
from onc_mirror.mirror import open_mirror
from onc_mirror.reconcile.story import ReconcileRequest, reconcile
from onc_mirror.store import open_store

if TYPE_CHECKING:
    from tests.support.flow_runs import ArchiveControl, Deployed

DEVICE = "TUMPMTSPECTROMETER001"
NIGHTLY = "reconcile/nightly"


def last_document(deployed: Deployed) -> dict[str, Any]:
    key = max(key for key in deployed.objects("reports/reconcile/") if key.endswith("-comparison.json"))
    content: dict[str, Any] = json.loads(deployed.read(key))
    return content


def test_what_was_lost_in_the_bucket_is_fetched_again_and_told_as_by_the_run_in_one_process(
    deployed: Deployed,
) -> None:
    missing, damaged, *_ = keys = deployed.mirror_without_prefect(DEVICE, hours=3)
    strange = f"{missing.rpartition('/')[0]}/notes.txt"
    until = datetime.now(UTC) - timedelta(hours=1)

    lose(deployed, missing, damaged, strange)
    run = deployed.run(NIGHTLY, devices=[DEVICE], until=until.isoformat(), days=1)
    by_flow = last_document(deployed)
    mended = set(deployed.objects("raw/"))
    lose(deployed, missing, damaged, strange)
    with open_mirror(deployed.settings) as mirror:
        alone = json.loads(reconcile(mirror, ReconcileRequest(devices=(DEVICE,), days=1, until=until)).to_json())

    assert (run.state_type, run.state_name) == ("COMPLETED", "CompletedWithFindings"), run.message
    assert "2 differences repaired." in run.message
    assert mended == {*keys, strange}
    shown = {row["file"]: (row["standing"], row["outcome"]) for row in deployed.table(run, "reconcile-differences")}
    assert shown[missing.rpartition("/")[2]] == ("missing-object", "mirrored")
    assert shown[damaged.rpartition("/")[2]] == ("damaged-object", "mirrored")
    assert {row["device"] for row in deployed.table(run, "reconcile-standings")} == {DEVICE}
    (device,) = by_flow["devices"]
    told = {one["key"]: (one["standing"], one["outcome"]) for one in device["differences"]}
    assert (told[missing][1], told[damaged][1], told[strange][0]) == ("mirrored", "mirrored", "unknown-object")
    assert device["differences"] == alone["devices"][0]["differences"]
    assert by_flow["window"] == alone["window"]
    with open_ledger(deployed.settings.ledger) as ledger:
        assert [one.flow for one in ledger.runs(2)] == ["reconcile", "reconcile"]


def lose(deployed: Deployed, missing: str, damaged: str, strange: str) -> None:
    """Do to the bucket what nobody should."""
    with open_store(deployed.settings) as store:
        store.delete(missing)
        store.write(damaged, b"mine", "text/plain")
        store.write(strange, b"mine", "text/plain")


def test_an_emptied_bucket_fails_the_run_and_a_dry_run_writes_nothing(
    deployed: Deployed, archive: ArchiveControl
) -> None:
    keys = deployed.mirror_without_prefect(DEVICE, hours=5)
    assert len(keys) > 20
    with open_store(deployed.settings) as store:
        for key in keys:
            store.delete(key)
    before = deployed.objects()
    archive.clear()

    dry = deployed.run_here(reconcile_flow, devices=[DEVICE], days=1, dry_run=True)

    assert deployed.objects() == before
    run = deployed.run_here(reconcile_flow, devices=[DEVICE], days=1)

    for one in (dry, run):
        assert one.state_type == "FAILED"
        assert "onc-mirror reconcile --force" in one.message
    assert not deployed.objects("raw/")
    assert not [one for one in archive.requests() if one["endpoint"] == "download"]
