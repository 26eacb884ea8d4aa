"""What can go wrong between a run and what it changes: the end of its process, a store or a ledger in trouble.

A run changes the world by transactions of the ledger and by calls of the store. Those are its effects; they are
counted, and the process ends before the chosen one. The dead do nothing: whatever its threads still try to change
is refused as well. What a kill leaves in scratch is not played here, as `finally` blocks run; the kill tests do that
with real processes.
"""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from sqlalchemy import Engine, event

from onc_mirror.errors import LedgerUnavailableError, StoreUnavailableError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.support.memory_store import Call


class Killed(BaseException):
    """The process is no more."""


@dataclass(slots=True)
class Perils:
    """The perils of the next run.

    Attributes:
        effects_left: Effects until the process ends; None: it lives.
        store_is_down: Whether every call of the store fails.
        store_fails_in: Changes of the store until one fails; None: none does.
        answer_is_lost: Whether that change happens all the same.
        ledger_fails_in: Transactions until one fails; None: none does.
        running: Whether there is a process at all; what the model itself does is in no peril.
        dead: Whether the process has ended.
    """

    effects_left: int | None = None
    store_is_down: bool = False
    store_fails_in: int | None = None
    answer_is_lost: bool = False
    ledger_fails_in: int | None = None
    running: bool = False
    dead: bool = False

    def watch_ledgers(self) -> None:
        """From now on, play the perils of transactions too."""
        event.listen(Engine, "begin", self._transaction)

    def forget_ledgers(self) -> None:
        """Play them no more."""
        event.remove(Engine, "begin", self._transaction)

    @contextmanager
    def process(self, effects: int | None) -> Iterator[None]:
        """Be in peril during the block, which is the life of one process; afterwards `dead` says how it ended."""
        self.effects_left, self.running, self.dead = effects, True, False
        try:
            yield
        except Killed:
            pass
        finally:
            self.running = False

    def on_store(self, call: Call) -> None:
        """The hook of a `MemoryStore`."""
        if call.changes and not call.done:
            self._effect()
        if self.dead:
            raise Killed
        if self.store_is_down:
            raise StoreUnavailableError("The store is down.", subject=call.key)
        if call.changes and call.done is self.answer_is_lost and self.store_fails_in is not None:
            left, self.store_fails_in = self.store_fails_in, self.store_fails_in - 1 or None
            if left == 1:
                raise StoreUnavailableError("The store did not answer.", subject=call.key)

    def _transaction(self, connection: Any) -> None:
        if not (self.running and connection.get_execution_options().get("writes", False)):
            return
        self._effect()
        if self.ledger_fails_in is not None:
            left, self.ledger_fails_in = self.ledger_fails_in, self.ledger_fails_in - 1 or None
            if left == 1:
                raise LedgerUnavailableError("The ledger is locked.")

    def _effect(self) -> None:
        if self.effects_left is not None:
            self.dead = self.dead or self.effects_left == 0
            self.effects_left -= 1
        if self.dead:
            raise Killed
