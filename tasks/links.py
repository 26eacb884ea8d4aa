"""Where people can look at the run that they are told of."""

from __future__ import annotations

from prefect.context import FlowRunContext
from prefect.utilities.urls import url_for


def run_link() -> str | None:
    """The page of this flow run in the Prefect UI; None outside of one.

    PREFECT_UI_URL says where the UI is, else PREFECT_API_URL lets one guess.
    """
    context = FlowRunContext.get()
    if context is None or context.flow_run is None:
        return None
    return url_for("flow-run", obj_id=context.flow_run.id)
