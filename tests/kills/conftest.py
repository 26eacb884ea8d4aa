from __future__ import annotations

from contextlib import ExitStack
from typing import TYPE_CHECKING

import pytest

from tests.kills.places import Place, experimenting

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tests.kills.experiments import Experiment


@pytest.fixture(scope="session")
def experiments(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Callable[[Place], Experiment]]:
    """Prepares an experiment when its place is first asked for, on the servers that all tests of a worker share."""
    prepared: dict[Place, Experiment] = {}
    with ExitStack() as parts:

        def on(place: Place) -> Experiment:
            if place not in prepared:
                folder = tmp_path_factory.mktemp(str(place))
                prepared[place] = parts.enter_context(experimenting(place, folder, request.getfixturevalue))
            return prepared[place]

        yield on


@pytest.fixture
def experiment(request: pytest.FixtureRequest, experiments: Callable[[Place], Experiment]) -> Experiment:
    """Runs that can be killed, on the place that the test names."""
    place: Place = request.param
    return experiments(place)
