from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from onc_mirror.ledger import Ledger, open_ledger

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture
def ledger(ledger_url: str) -> Iterator[Ledger]:
    with open_ledger(ledger_url) as opened:
        yield opened
