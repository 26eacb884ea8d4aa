"""Deleting something on a Prefect server, that may be gone already: another deploy or a person was quicker."""

from __future__ import annotations

from http import HTTPStatus
from typing import TYPE_CHECKING

from prefect.exceptions import ObjectNotFound, PrefectHTTPStatusError

if TYPE_CHECKING:
    from collections.abc import Callable
    from uuid import UUID


def delete(call: Callable[[UUID], object], one: UUID) -> None:
    """Delete by a method of Prefect's client.

    Args:
        call: The method. When there is nothing to delete, one raises this and the other that (Prefect 3.8.8).
        one: What to delete.

    Raises:
        PrefectHTTPStatusError: The server refuses it for another reason.
    """
    try:
        call(one)
    except ObjectNotFound:
        return
    except PrefectHTTPStatusError as error:
        if error.response.status_code != HTTPStatus.NOT_FOUND:
            raise
