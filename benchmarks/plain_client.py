"""What users do today: the `onc` client and boto3, one file after the other.

    python -m benchmarks.plain_client DEVICE PRODUCT SINCE UNTIL BUCKET

Lists, then downloads each file into a temporary folder and uploads it. Nothing is checked, nothing remembered.
"""

from __future__ import annotations

import os
import sys
import tempfile
from pathlib import Path

import boto3
from onc import ONC


def main(device: str, product: str, since: str, until: str, bucket: str) -> None:
    """Copy the files of a window of archive time."""
    s3 = boto3.client("s3")
    with tempfile.TemporaryDirectory() as folder:
        onc = ONC(os.environ["ONC_TOKEN"], outPath=folder)
        onc.baseUrl = os.environ["ONC_MIRROR_ARCHIVE_URL"]
        window = {"deviceCode": device, "dateArchivedFrom": since, "dateArchivedTo": until, "returnOptions": "all"}
        for row in onc.getArchivefile(window, allPages=True)["files"]:
            if row["dataProductCode"] == product:
                onc.downloadArchivefile(row["filename"])
                path = Path(folder, row["filename"])
                s3.upload_file(str(path), bucket, path.name)
                path.unlink()


if __name__ == "__main__":
    main(*sys.argv[1:])
