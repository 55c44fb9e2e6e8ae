"""Breaks things on purpose: a fault is a JSON object, and this is what each kind does.

===============  ==========================================================================
``kind``         what it does; further keys
===============  ==========================================================================
``arm``          answers the next ``times`` requests whose path matches the glob ``path`` with
                 ``status`` and ``code`` (``retry_after_seconds`` optional); without ``status``
                 the next matching long-running operation ends Failed instead
``arm_clear``    takes back every ``arm`` fault
``arm_advance``  lets operations finish that wait for a person (``--timing manual``)
``node_loss``    the node ``name`` falls silent: no lease, no pods, no goodbye
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


async def inject(fault: Fault, *, arm: arm_server.ArmServer, nodes: Nodes) -> Fault:
    """Carry a fault out.

    Raises:
        ValueError: an unknown kind, or keys that do not go with it.
        KeyError: a node that does not exist.
    """
    parameters = {key: value for key, value in fault.items() if key != "kind"}

    async def add_rule() -> Fault:
        return {"id": arm.faults.add(arm_faults.FaultRule(**parameters))}

    async def clear_rules() -> Fault:
        arm.faults.clear()
        return {}

    async def advance() -> Fault:
        return {"advanced": arm.operations.advance()}

    async def lose_node() -> Fault:
        await nodes.lose_node(parameters["name"])
        return {}

    kinds: dict[str, Callable[[], Awaitable[Fault]]] = {
        "arm": add_rule,
        "arm_clear": clear_rules,
        "arm_advance": advance,
        "node_loss": lose_node,
    }
    kind = fault.get("kind")
    if kind not in kinds:
        msg = f"unknown kind of fault {kind!r}; expected one of {', '.join(kinds)}"
        raise ValueError(msg)
    return await kinds[kind]()
