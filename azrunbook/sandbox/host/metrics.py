"""What pods and nodes of one cluster use, from the meters of its node agents.

Here the agents' measurements meet the cluster that scales by them and shows them.
"""

import asyncio
import datetime as dt
from collections.abc import Mapping
from fractions import Fraction

from azrunbook.sandbox.kube import metrics
from azrunbook.sandbox.node import agent, usage


class AgentMetrics:
    """A ``kube.metrics.Source``. ``agents`` are those of the cluster, as they come and go."""

    def __init__(self, agents: Mapping[str, agent.NodeAgent]) -> None:
        self._agents = agents

    async def settle(self) -> None:
        await asyncio.gather(*(node.meter.settle() for node in self._list_running()))

    def find_pod(self, namespace: str, name: str) -> metrics.Reading | None:
        for node in self._list_running():
            measured = node.meter.read().get((namespace, name))
            if measured is not None:
                parts = {part: _usage(one) for part, one in measured.containers.items()}
                return metrics.Reading(_now(), measured.window_seconds, parts)
        return None

    def find_node(self, name: str) -> metrics.Reading | None:
        """The sum of its pods: a node of the sandbox is nothing else."""
        node = self._agents.get(name)
        if node is None or not node.is_running:
            return None
        measured = node.meter.read().values()
        window = max((pod.window_seconds for pod in measured), default=usage.APART_SECONDS)
        total = metrics.add_up(_usage(one) for pod in measured for one in pod.containers.values())
        return metrics.Reading(_now(), window, {name: total})

    def _list_running(self) -> list[agent.NodeAgent]:
        return [node for node in self._agents.values() if node.is_running]


def _usage(measured: usage.ContainerUsage) -> metrics.Usage:
    return {"cpu": Fraction(measured.cpu_cores), "memory": Fraction(measured.memory_bytes)}


def _now() -> dt.datetime:
    return dt.datetime.now(dt.UTC)
