"""How a run looks when it is over: its final state."""

from __future__ import annotations

from typing import TYPE_CHECKING

from prefect.states import Completed, Failed

from onc_mirror.wording import printable, shortened

if TYPE_CHECKING:
    from prefect import State

_LONGEST_MESSAGE = 4000
"""Names in it are whatever an archive lists, and Prefect puts it into events, lists and messages."""


def final_state(
    sentence: str, exit_code: int, attention: str = "CompletedWithHeld", good: str = "Completed"
) -> State[None]:
    """The state that tells an operator at a glance how a run ended.

    Args:
        sentence: What became of it.
        exit_code: That of the command that does the same: 0, 1 or 3.
        attention: Name of the state for 3: completed, but somebody should look.
        good: Name of the state for 0.
    """
    message = shortened(printable(sentence), _LONGEST_MESSAGE)
    if exit_code == 1:
        return Failed(message=message)
    return Completed(name=attention if exit_code else good, message=message)
