"""Breaks things on purpose: a fault is a JSON object, and this is what each kind does.

===============  ==========================================================================
``kind``         what it does; further keys
===============  ==========================================================================
``arm``          answers the next ``times`` requests whose path matches the glob ``path`` with
                 ``status`` and ``code`` (``retry_after_seconds`` optional); without ``status``
                 the next matching long-running operation ends Failed instead
``arm_clear``    takes back every ``arm`` fault
``arm_advance``  lets operations finish that wait for a person (``--timing manual``)
``log_delay``    the activity log tells what happens from now on ``seconds`` later, as Azure's does
``arm_revoke``   refuses the first service principal's secret and every token it was given;
                 with ``revoked`` false the secret is taken again
``node_loss``    the node ``name`` falls silent: no lease, no pods, no goodbye
``data_loss``    every database and cache of the region ``location`` ends at once
``data_restore`` those of the region ``location`` come back, each in the role it has by now
``data_delay``   the link to the replica ``id`` (ARM's) is late by ``seconds``; 0 takes it back
===============  ==========================================================================

Asked over the control socket (:func:`azrunbook.sandbox.lifecycle.inject`); tests use it to prove
that nothing is lost when Azure misbehaves.
"""

from collections.abc import Awaitable, Callable
from typing import Any, Protocol

from azrunbook.sandbox.arm import faults as arm_faults, server as arm_server

Fault = dict[str, Any]


class Nodes(Protocol):
    """What can be done to a node."""

    async def lose_node(self, name: str) -> None:
        """Take a node away without a word; KeyError when there is none of this name."""


class Data(Protocol):
    """What can be done to databases and caches."""

    async def lose_region(self, location: str) -> None:
        """End all of a region at once."""

    async def restore_region(self, location: str) -> None:
        """Bring them back."""

    def delay_replication(self, id_: str, seconds: float) -> None:
        """Make a replica late; ValueError when there is none of this id."""


async def inject(fault: Fault, *, arm: arm_server.ArmServer, nodes: Nodes, data: Data) -> Fault:
    """Carry a fault out.

    Raises:
        ValueError: an unknown kind, or keys that do not go with it.
        KeyError: a node that does not exist, or a key that is missing.
    """
    parameters = {key: value for key, value in fault.items() if key != "kind"}

    async def add_rule() -> Fault:
        return {"id": arm.faults.add(arm_faults.FaultRule(**parameters))}

    async def clear_rules() -> Fault:
        arm.faults.clear()
        return {}

    async def advance() -> Fault:
        return {"advanced": arm.operations.advance()}

    async def revoke() -> Fault:
        arm.identity.revoke(is_revoked=bool(parameters.get("revoked", True)))
        return {}

    async def delay_log() -> Fault:
        arm.activity.delay_seconds = float(parameters["seconds"])
        return {}

    async def lose_node() -> Fault:
        await nodes.lose_node(parameters["name"])
        return {}

    kinds: dict[str, Callable[[], Awaitable[Fault]]] = {
        "arm": add_rule,
        "arm_clear": clear_rules,
        "arm_advance": advance,
        "arm_revoke": revoke,
        "log_delay": delay_log,
        "node_loss": lose_node,
        **_list_data_faults(data, parameters),
    }
    kind = fault.get("kind")
    if kind not in kinds:
        msg = f"unknown kind of fault {kind!r}; expected one of {', '.join(kinds)}"
        raise ValueError(msg)
    return await kinds[kind]()


def _list_data_faults(
    data: Data, parameters: dict[str, Any]
) -> dict[str, Callable[[], Awaitable[Fault]]]:
    async def lose() -> Fault:
        await data.lose_region(parameters["location"])
        return {}

    async def restore() -> Fault:
        await data.restore_region(parameters["location"])
        return {}

    async def delay() -> Fault:
        data.delay_replication(parameters["id"], float(parameters["seconds"]))
        return {}

    return {"data_loss": lose, "data_restore": restore, "data_delay": delay}
