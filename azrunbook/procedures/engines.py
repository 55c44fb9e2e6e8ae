"""Which engine provisions: ``arm``, which needs no state, or ``terraform``.

Both make the same estate, so one can go on where the other stopped; what is verified does not
depend on which it was.
"""

from azrunbook import binaries, connect, errors, plan as plans
from azrunbook.procedures import provision, terraform_engine

ENGINES = ("arm", "terraform")
Facts = provision.Facts | terraform_engine.Facts


def require(engine: str) -> None:
    """See that there is such an engine, and that what it needs of this machine is there.

    Raises:
        ParameterError: no such engine.
        PreflightError: no terraform; nothing was started.
    """
    if engine not in ENGINES:
        raise errors.ParameterError(
            f"no engine '{engine}': expected one of {', '.join(ENGINES)}. Nothing was started. "
            "Example: --engine arm"
        )
    if engine == "terraform":
        binaries.require("terraform")


def observe(clients: connect.Clients, engine: str) -> Facts:
    """Look at Azure as an engine does; see :func:`provision.observe` and the other's.

    Raises:
        ParameterError: no such engine.
        PreflightError: what the engine needs is not on this machine.
    """
    require(engine)
    if engine == "terraform":
        return terraform_engine.observe(clients)
    return provision.observe(clients)


def plan(facts: Facts) -> plans.Plan:
    """What would change, by the engine that looked; pure."""
    if isinstance(facts, terraform_engine.Facts):
        return terraform_engine.plan(facts)
    return provision.plan(facts)
