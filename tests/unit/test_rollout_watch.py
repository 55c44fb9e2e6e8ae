"""What is told while a rollout is waited for."""

import pytest

from azrunbook import workloads
from azrunbook.procedures import rollout_watch


def pod(name, state, *, is_ready):
    return workloads.Pod(name=name, node="n", state=state, is_ready=is_ready, restarts=0, images=())


@pytest.mark.parametrize(
    ("pods", "said"),
    [
        ([], "0 of 0 pods ready"),
        ([pod("a", "Running", is_ready=True)], "1 of 1 pods ready"),
        (
            [pod("a", "Running", is_ready=True), pod("b", "CrashLoopBackOff", is_ready=False)],
            "1 of 2 pods ready; b: CrashLoopBackOff",
        ),
    ],
)
def test_state_names_what_is_waited_for(pods, said):
    """The first pod that is not ready says why."""
    assert rollout_watch.describe(pods) == said
