"""Creating a bucket on an endpoint of the sandbox."""

from __future__ import annotations

from s3fs import S3FileSystem


class BucketError(Exception):
    """The endpoint does not give a bucket."""


def create_bucket(endpoint: str, bucket: str, *, access_key: str, secret_key: str) -> None:
    """Create `bucket` unless it is there already.

    Raises:
        BucketError: The endpoint refuses, or cannot be reached.
    """
    filesystem = S3FileSystem(
        endpoint_url=endpoint,
        key=access_key,
        secret=secret_key,
        client_kwargs={"region_name": "us-east-1"},
        config_kwargs={"s3": {"addressing_style": "path"}},
        skip_instance_cache=True,
    )
    try:
        filesystem.call_s3("create_bucket", Bucket=bucket)
    except FileExistsError:
        return
    except OSError as error:
        raise BucketError(f"The endpoint {endpoint} does not create the bucket {bucket}: {error}") from error
