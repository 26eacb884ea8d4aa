"""Rot: an object whose bytes change where nobody sees it, with its size and all that is said of it as before."""

from __future__ import annotations

import hashlib
import os
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import boto3
from botocore.config import Config

if TYPE_CHECKING:
    from tests.support.mirrors import Bench


def rot(mirror: Bench, key: str) -> str:
    """Flip a byte in the middle of an object; return the SHA-256 that it has then."""
    url = urlsplit(mirror.settings.store_url)
    if url.scheme == "file":
        return _rot_file(mirror, f"{url.path}/{key}")
    return _rot_object(mirror, url.netloc, f"{url.path.lstrip('/')}/{key}".lstrip("/"))


def _rot_file(mirror: Bench, path: str) -> str:
    del mirror
    state = os.stat(path)  # noqa: PTH116 - with utime and open below
    with open(path, "r+b") as file:  # noqa: PTH123 - as above
        body = _flipped(file.read())
        file.seek(0)
        file.write(body)
    os.utime(path, ns=(state.st_atime_ns, state.st_mtime_ns))
    return hashlib.sha256(body).hexdigest()


def _rot_object(mirror: Bench, bucket: str, key: str) -> str:
    client = boto3.Session().client(  # boto3's own keeps the keys of an earlier test
        "s3",
        endpoint_url=str(mirror.settings.aws_endpoint_url),
        region_name="us-east-1",
        config=Config(s3={"addressing_style": "path"}),
    )
    found = client.get_object(Bucket=bucket, Key=key)
    body = _flipped(found["Body"].read())
    client.put_object(Bucket=bucket, Key=key, Body=body, Metadata=found["Metadata"])
    client.close()
    return hashlib.sha256(body).hexdigest()


def _flipped(body: bytes) -> bytes:
    middle = len(body) // 2
    return body[:middle] + bytes([body[middle] ^ 1]) + body[middle + 1 :]
