"""What can go wrong between a run and what it changes: its process ends or stands still, a store or ledger fails.

A run changes the world by transactions of the ledger and by calls of the store. Those are its effects; they are
counted, and the process ends before the chosen one. The dead do nothing: whatever its threads still try to change
is refused as well. What a kill leaves in scratch is not played here, as `finally` blocks run; the kill tests do that
with real processes.

Between two effects a run may also be suspended, while others run and the world goes on. It is suspended before it
asks the archive or looks into the store, and after it has changed something there: a run that stops between the
question whether the file is still its own and the change itself may do harm, as `fencing` says.
"""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from sqlalchemy import Engine, event

from onc_mirror.errors import LedgerUnavailableError, StoreUnavailableError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tests.support.memory_store import Call


class Killed(BaseException):
    """The process is no more."""


@dataclass(slots=True)
class Suspension:
    """What happens while a run stands still.

    Attributes:
        moments: Until then.
        meanwhile: What happens, once.
    """

    moments: int
    meanwhile: Callable[[], None]


@dataclass(slots=True)
class Life:
    """A process.

    Attributes:
        effects_left: Effects until it ends; None: it lives.
        suspension: What stops it for a while, if anything.
        dead: Whether it has ended before it was done.
    """

    effects_left: int | None = None
    suspension: Suspension | None = None
    dead: bool = False


@dataclass(slots=True)
class Perils:
    """The perils of the next run.

    Attributes:
        store_is_down: Whether every call of the store fails.
        store_fails_in: Changes of the store until one fails; None: none does.
        answer_is_lost: Whether that change happens all the same.
        ledger_fails_in: Transactions until one fails; None: none does.
        life: The process that is at work; None: there is none, and what the model itself does is in no peril.
    """

    store_is_down: bool = False
    store_fails_in: int | None = None
    answer_is_lost: bool = False
    ledger_fails_in: int | None = None
    life: Life | None = field(default=None, init=False)

    def watch_ledgers(self) -> None:
        """From now on, play the perils of transactions too."""
        event.listen(Engine, "begin", self._transaction)

    def forget_ledgers(self) -> None:
        """Play them no more."""
        event.remove(Engine, "begin", self._transaction)

    @contextmanager
    def process(self, effects: int | None, suspension: Suspension | None = None) -> Iterator[Life]:
        """Be in peril during the block, which is the life of one process, perhaps within that of a suspended one."""
        before, self.life = self.life, Life(effects, suspension)
        life = self.life
        try:
            yield life
        except Killed:
            pass
        finally:
            self.life = before

    def on_store(self, call: Call) -> None:
        """The hook of a `MemoryStore`."""
        if call.changes and not call.done:
            self._effect()
        if self.life is not None and self.life.dead:
            raise Killed
        if self.store_is_down:
            raise StoreUnavailableError("The store is down.", subject=call.key)
        if call.changes and call.done is self.answer_is_lost and self.store_fails_in is not None:
            left, self.store_fails_in = self.store_fails_in, self.store_fails_in - 1 or None
            if left == 1:
                raise StoreUnavailableError("The store did not answer.", subject=call.key)
        if call.done is call.changes:
            self.on_moment()

    def on_moment(self) -> None:
        """Between two effects; the hook of a `MemoryArchive`."""
        suspension = None if self.life is None or self.life.dead else self.life.suspension
        if suspension is None:
            return
        suspension.moments -= 1
        if suspension.moments == 0:
            suspension.meanwhile()

    def _transaction(self, connection: Any) -> None:
        if self.life is None or not connection.get_execution_options().get("writes", False):
            return
        self._effect()
        if self.ledger_fails_in is not None:
            left, self.ledger_fails_in = self.ledger_fails_in, self.ledger_fails_in - 1 or None
            if left == 1:
                raise LedgerUnavailableError("The ledger is locked.")

    def _effect(self) -> None:
        life = self.life
        if life is None:
            return
        if life.effects_left is not None:
            life.dead = life.dead or life.effects_left == 0
            life.effects_left -= 1
        if life.dead:
            raise Killed
