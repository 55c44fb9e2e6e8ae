"""The order in which resources come to be: waves along ``depends_on``. Pure."""

from collections.abc import Iterable

from azrunbook.resources import model


def list_waves(
    resources: Iterable[model.DesiredResource],
) -> tuple[tuple[model.DesiredResource, ...], ...]:
    """Group resources so that each wave needs only earlier ones; reversed, the order to delete in.

    Raises:
        ValueError: a dependency is not among the resources, or they depend on each other in a ring.
    """
    waiting = {resource.id: resource for resource in resources}
    known = set(waiting)
    waves: list[tuple[model.DesiredResource, ...]] = []
    while waiting:
        wave = tuple(one for one in waiting.values() if not waiting.keys() & set(one.depends_on))
        unknown = {name for one in wave for name in one.depends_on} - known
        if not wave or unknown:
            raise ValueError(
                f"no order for {', '.join(sorted(unknown) or sorted(waiting))}: expected every "
                "dependency to be a desired resource, without a ring. This is a bug. Please report."
            )
        waves.append(wave)
        for one in wave:
            del waiting[one.id]
    return tuple(waves)
