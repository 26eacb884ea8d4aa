"""From settings to an S3 store."""

from __future__ import annotations

from typing import TYPE_CHECKING

from onc_mirror.store.s3 import RequestSizes, S3Store
from onc_mirror.store.s3_bucket import Bucket, Connection

if TYPE_CHECKING:
    from pydantic import HttpUrl

    from onc_mirror.settings import MirrorSettings

_AWS_HOSTS = (".amazonaws.com", ".amazonaws.com.cn")


def open_s3_store(settings: MirrorSettings, sizes: RequestSizes | None = None) -> S3Store:
    """Open the bucket of `settings.store_url`; no request is made yet.

    Args:
        settings: What the operator set.
        sizes: Stands in for what follows from the settings.
    """
    bucket, _, prefix = settings.store_url.removeprefix("s3://").partition("/")
    endpoint = settings.aws_endpoint_url
    aws = endpoint is None or (endpoint.host or "").endswith(_AWS_HOSTS)
    connection = Connection(
        bucket=bucket,
        endpoint=None if endpoint is None else _without_credentials(endpoint),
        aws=aws,
        connect_timeout_s=settings.connect_timeout_s,
        stall_timeout_s=settings.stall_timeout_s,
        attempts=settings.quick_retries + 1,
        checksums=_checksums(settings.store_checksums, aws=aws),
    )
    prefix = prefix.strip("/")
    return S3Store(
        settings.store_url,
        Bucket(connection),
        prefix=f"{prefix}/" if prefix else "",
        sizes=sizes or RequestSizes(settings.multipart_bytes),
    )


def _without_credentials(endpoint: HttpUrl) -> str:
    path = (endpoint.path or "").rstrip("/")
    return f"{endpoint.scheme}://{endpoint.host}:{endpoint.port}{path}"


def _checksums(setting: str, *, aws: bool) -> str:
    """Choose botocore's setting: its own default makes Ceph 16 refuse every upload over https (measured 2026-11)."""
    if setting != "auto":
        return setting
    return "when_supported" if aws else "when_required"
