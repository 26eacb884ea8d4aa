"""The policy that we publish is enough for all that a mirror does, and what is less is named."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from infra.sandbox.archive.faults import Kind
from onc_mirror.model import Grade
from onc_mirror.quarantine.checks import look_up
from onc_mirror.quarantine.releasing import release
from onc_mirror.rebuild.story import rebuild
from onc_mirror.reconcile.story import ReconcileRequest, reconcile
from onc_mirror.scrub.story import ScrubRequest, scrub
from onc_mirror.store import open_store
from onc_mirror.store.checking import check_store
from tests.support.mirrors import DEVICE, VICTIM, Bench, bench
from tests.support.rot import rot
from tests.support.stores import STORES

if TYPE_CHECKING:
    from onc_mirror.store.checking import Finding
    from tests.support.archive import RunningArchive
    from tests.support.stores import Endpoint

POLICY = Path(__file__).parents[2] / "infra" / "s3" / "policy.json"
USER = "narrow"
FOLDER = f"raw/{DEVICE}/2022/05/02/"

pytestmark = pytest.mark.skipif("ceph" not in STORES, reason="only Ceph, of the stores here, has users and policies")


@pytest.fixture(scope="module")
def narrow(ceph: Endpoint) -> Endpoint:
    """The endpoint for a user who has no rights but those that a bucket's policy grants."""
    return ceph.other_user(USER)


@pytest.fixture
def granted(
    ceph: Endpoint, narrow: Endpoint, archive: RunningArchive, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Bench:
    """A mirror of that user in a bucket of another, with the published policy."""
    bucket = ceph.create_bucket()
    grant(ceph, bucket)
    narrow.use(monkeypatch)
    return bench(archive, tmp_path, store_url=f"s3://{bucket}/mirror", stall_timeout_s=30.0)  # nothing stalls here


def grant(ceph: Endpoint, bucket: str, without: str | None = None) -> None:
    text = POLICY.read_text(encoding="utf-8").replace("BUCKET", bucket)
    policy: dict[str, Any] = json.loads(text.replace("arn:aws:iam::ACCOUNT:user/USER", f"arn:aws:iam:::user/{USER}"))
    if without is not None:
        (granting,) = [statement for statement in policy["Statement"] if without in statement["Action"]]
        granting["Action"].remove(without)
        # Ceph lets who has written an object read it, whatever the policy grants; so that is denied.
        policy["Statement"].append({**granting, "Sid": "NotThis", "Effect": "Deny", "Action": [without]})
    ceph.client.put_bucket_policy(Bucket=bucket, Policy=json.dumps(policy))


def bad_findings(mirror: Bench) -> list[Finding]:
    with open_store(mirror.settings) as store:
        found = list(check_store(store))
    assert found
    return [finding for finding in found if not finding.ok]


def test_the_published_policy_is_enough_for_every_command(granted: Bench) -> None:
    number = granted.archive.fault(Kind.BIT_FLIP, filename=VICTIM, endpoint="download")
    first = granted.run(devices=(DEVICE,))
    granted.archive.faults.remove(number)
    with granted.open() as mirror:
        released = release(mirror, [look_up(mirror.ledger, VICTIM)], Grade.STRUCTURE)
    rotten, lost, *_ = sorted(granted.objects(FOLDER))
    whole = granted.objects("raw/")
    rot(granted, rotten)
    with open_store(granted.settings) as store:
        store.delete(lost)

    with granted.open() as mirror:
        scrubbed = scrub(mirror, ScrubRequest())
        reconciled = reconcile(mirror, ReconcileRequest(devices=(DEVICE,)))
        rebuilt = rebuild(mirror, into_existing=True)

    assert (first.mirrored, first.quarantined, released.mirrored) == (9, 1, 1)
    assert granted.objects("raw/") == whole
    assert granted.objects("quarantine/")
    assert scrubbed.leftovers.trouble == ""
    assert reconciled.report is not None
    assert not reconciled.report.errors
    assert (rebuilt.exit_code, rebuilt.strangers) == (3, [])  # what was damaged is kept under quarantine/
    assert bad_findings(granted) == []


@pytest.mark.parametrize(
    ("action", "check"),
    [
        ("s3:ListBucket", "bucket"),
        ("s3:GetObject", "bucket write"),
        ("s3:PutObject", "bucket write"),
        ("s3:DeleteObject", "bucket delete"),
        ("s3:ListBucketMultipartUploads", "bucket uploads"),
        ("s3:AbortMultipartUpload", "bucket abort"),
    ],
)
def test_an_action_less_is_named_by_the_doctor(ceph: Endpoint, granted: Bench, action: str, check: str) -> None:
    grant(ceph, granted.settings.store_url.split("/")[2], without=action)

    first, *_ = bad_findings(granted)

    assert (first.name, first.remedy) == (check, f"Missing is {action}.")
