"""Opening an archive client as tests want it: patient on a busy machine, with a token that is easy to find."""

from __future__ import annotations

from pydantic import SecretStr

from onc_mirror.archive import OncArchive

CANARY = "0c4na7y0-1234-4bcd-8e9f-a70c3n000001"


def open_archive(  # noqa: PLR0913 - one argument per setting
    url: str,
    *,
    token: str = CANARY,
    connect_timeout_s: float = 30.0,
    stall_timeout_s: float = 60.0,
    quick_retries: int = 0,
    connections: int = 2,
    row_limit: int = 100_000,
) -> OncArchive:
    """Open a client of the archive at `url`."""
    return OncArchive(
        url,
        SecretStr(token),
        connect_timeout_s=connect_timeout_s,
        stall_timeout_s=stall_timeout_s,
        quick_retries=quick_retries,
        connections=connections,
        row_limit=row_limit,
    )
