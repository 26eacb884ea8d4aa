"""Saying what an S3 store did not do, in the mirror's own errors: who, where, why and what to do about it.

The texts of botocore are not used: they hold URLs and, for signatures, parts of the credentials.
Source of the codes: S3 API reference, "Error responses"; Ceph RGW 16.2 and Swift 2.38 as seen (2026-11).
"""

from __future__ import annotations

from typing import Any

from botocore.exceptions import (
    ClientError,
    ConnectTimeoutError,
    EndpointConnectionError,
    HTTPClientError,
    NoCredentialsError,
    ParamValidationError,
    PartialCredentialsError,
    ReadTimeoutError,
    SSLError,
)
from botocore.parsers import ResponseParserError

from onc_mirror.errors import (
    BucketMissingError,
    MirrorError,
    ObjectMissingError,
    SettingsError,
    StoreCredentialsError,
    StoreForbiddenError,
    StoreRejectedError,
    StoreUnavailableError,
)

_CHECK_KEYS = "check AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY"
_BAD_KEYS = (StoreCredentialsError, f"does not accept the credentials; {_CHECK_KEYS}")
_NO_RIGHT = (
    StoreForbiddenError,
    "denies this to these credentials; grant them to list, read, write and delete in this bucket",
)
# The answer to HEAD has no body that could tell wrong credentials from a missing right.
_REFUSED = (
    StoreForbiddenError,
    f"denies access; {_CHECK_KEYS}, and that they may list, read, write and delete in this bucket",
)
_NO_BUCKET = (BucketMissingError, "has no such bucket; create it, or check ONC_MIRROR_STORE_URL and AWS_ENDPOINT_URL")
_NO_OBJECT = (ObjectMissingError, "has no such object")
_NO_ROOM = (StoreUnavailableError, "has no room left; free some, or raise the quota")
_OTHER_BYTES = (
    StoreUnavailableError,
    "refused bytes that are not those downloaded; if this goes on, check the scratch disk and the network",
)
_BUSY = (
    StoreUnavailableError,
    "is too busy or full, has a fault or is none; if this goes on, check the server, its disks and AWS_ENDPOINT_URL",
)
_BAD_REGION = (StoreRejectedError, "expects another region; check AWS_DEFAULT_REGION and AWS_ENDPOINT_URL")

_BY_CODE: dict[str, tuple[type[MirrorError], str]] = {
    "AccessDenied": _NO_RIGHT,
    "AllAccessDisabled": _NO_RIGHT,
    "AuthorizationHeaderMalformed": _BAD_REGION,
    "BadDigest": _OTHER_BYTES,
    "EntityTooLarge": (StoreRejectedError, "does not take objects of this size; raise its limit"),
    "ExpiredToken": (StoreCredentialsError, "says the credentials have expired; renew them"),
    "IncompleteBody": _OTHER_BYTES,
    "InvalidAccessKeyId": _BAD_KEYS,
    "InvalidBucketName": _NO_BUCKET,
    "InvalidToken": _BAD_KEYS,
    "KeyTooLongError": (
        StoreRejectedError,
        "does not take a key this long; shorten the prefix of ONC_MIRROR_STORE_URL",
    ),
    "NoSuchBucket": _NO_BUCKET,
    "NoSuchKey": _NO_OBJECT,
    "NoSuchUpload": (StoreUnavailableError, "has lost the unfinished upload; it will be tried again"),
    "PermanentRedirect": _BAD_REGION,
    "QuotaExceeded": _NO_ROOM,
    "RequestTimeTooSkewed": (StoreCredentialsError, "says the clock of this machine is wrong; set it"),
    "SignatureDoesNotMatch": _BAD_KEYS,
    "XAmzContentSHA256Mismatch": _OTHER_BYTES,
    "XMinioStorageFull": _NO_ROOM,
}
_BY_STATUS: dict[int, tuple[type[MirrorError], str]] = {
    401: _BAD_KEYS,
    403: _REFUSED,
    408: _BUSY,
    413: (StoreRejectedError, "does not take requests of this size; lower ONC_MIRROR_MULTIPART_BYTES"),
    429: _BUSY,
    507: _NO_ROOM,
}
_MISSING = 404
_FAULTS = 500

_CONNECTION: tuple[tuple[type[Exception], type[MirrorError], str], ...] = (
    (NoCredentialsError, StoreCredentialsError, "needs credentials; set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY"),
    (ParamValidationError, StoreRejectedError, "cannot have this bucket or key; check ONC_MIRROR_STORE_URL"),
    (PartialCredentialsError, StoreCredentialsError, "needs both AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY"),
    (
        SSLError,
        StoreUnavailableError,
        "has a certificate that is not trusted; check AWS_CA_BUNDLE and AWS_ENDPOINT_URL",
    ),
    (ConnectTimeoutError, StoreUnavailableError, "does not answer; check AWS_ENDPOINT_URL and the network"),
    (EndpointConnectionError, StoreUnavailableError, "cannot be reached; check AWS_ENDPOINT_URL and that it runs"),
    (ReadTimeoutError, StoreUnavailableError, "went silent; look at the server, or raise ONC_MIRROR_STALL_TIMEOUT_S"),
    (TimeoutError, StoreUnavailableError, "went silent; look at the server, or raise ONC_MIRROR_STALL_TIMEOUT_S"),
    (ResponseParserError, StoreUnavailableError, "does not answer as S3 does; check AWS_ENDPOINT_URL"),
)
_LOST = "closed the connection too early; it will be tried again, else look at the server's log"


def explain(error: Exception, *, where: str, key: str | None) -> MirrorError:
    """Return the mirror's error for one of botocore, aiohttp or the socket.

    Args:
        error: What was caught.
        where: The store for people, such as `bucket b at http://host:7480`.
        key: The key it was about, or None.
    """
    if isinstance(error, ClientError):
        return _explain_answer(error, where=where, key=key)
    if isinstance(error, HTTPClientError) and isinstance(error.kwargs.get("error"), FileNotFoundError):
        return SettingsError("AWS_CA_BUNDLE: there is no such file.")
    for kind, leaf, text in _CONNECTION:
        if isinstance(error, kind):
            return leaf(f"The store {text} ({where}).", subject=key)
    return StoreUnavailableError(f"The store {_LOST} ({where}; {type(error).__name__}).", subject=key)


def _explain_answer(error: ClientError, *, where: str, key: str | None) -> MirrorError:
    answer: dict[str, Any] = error.response
    code = str(answer.get("Error", {}).get("Code", ""))
    about = answer.get("ResponseMetadata", {})
    status = about.get("HTTPStatusCode")
    leaf, text = _BY_CODE.get(code) or _BY_STATUS.get(status) or _by_class(status, key)
    facts = where if code.isdecimal() or not code.isalnum() else f"{where}; {code}"
    wait = str(about.get("HTTPHeaders", {}).get("retry-after", ""))
    return leaf(
        f"The store {text} ({facts}).",
        subject=key,
        status=status,
        retry_after_s=float(wait) if wait.isdecimal() else None,
    )


def _by_class(status: int | None, key: str | None) -> tuple[type[MirrorError], str]:
    if status == _MISSING:
        return _NO_BUCKET if key is None else _NO_OBJECT
    if status is None or status >= _FAULTS:
        return _BUSY
    return StoreRejectedError, "does not do what was asked; look at the server's log"
