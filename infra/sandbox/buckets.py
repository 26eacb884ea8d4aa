"""A bucket on an endpoint of the sandbox: creating it, and trying out that it stores."""

from __future__ import annotations

import secrets

from s3fs import S3FileSystem

_TRIAL_BYTES = 64


class BucketError(Exception):
    """The endpoint does not give a bucket that stores."""


class SandboxBucket:
    """A bucket. Nothing is asked before `prepare`."""

    def __init__(self, endpoint: str, name: str, *, access_key: str, secret_key: str) -> None:
        self._endpoint = endpoint
        self._name = name
        self._filesystem = S3FileSystem(
            endpoint_url=endpoint,
            key=access_key,
            secret=secret_key,
            client_kwargs={"region_name": "us-east-1"},
            # Whoever waits for the endpoint asks again, and watches meanwhile that it has not ended.
            config_kwargs={"s3": {"addressing_style": "path"}, "retries": {"total_max_attempts": 1}},
            skip_instance_cache=True,
        )

    def prepare(self) -> None:
        """Create the bucket unless it is there already, and see an object through: written, read back, deleted.

        An endpoint can answer, and even create a bucket, before what is behind it keeps bytes.

        Raises:
            BucketError: The endpoint refuses, cannot be reached, or has other bytes than it was given.
        """
        try:
            self._create()
            same = self._keeps_bytes()
        except OSError as error:
            raise BucketError(f"The endpoint {self._endpoint} has no bucket {self._name} yet: {error}") from error
        if not same:
            raise BucketError(f"The endpoint {self._endpoint} gives back other bytes than it was given.")

    def _create(self) -> None:
        try:
            self._filesystem.call_s3("create_bucket", Bucket=self._name)
        except FileExistsError:
            return

    def _keeps_bytes(self) -> bool:
        body = secrets.token_bytes(_TRIAL_BYTES)
        place = {"Bucket": self._name, "Key": f".sandbox-trial/{secrets.token_hex(8)}"}
        self._filesystem.call_s3("put_object", **place, Body=body)
        try:
            read: bytes = self._filesystem.cat_file(f"{place['Bucket']}/{place['Key']}")
        finally:
            self._filesystem.call_s3("delete_object", **place)
        return read == body
