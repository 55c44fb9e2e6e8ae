"""Which region's database takes writes, so that what is declared is looked for where it is now.

Asks Azure for the roles of the estate's servers and nothing else. A switchover swaps them and takes
the virtual endpoint along to the new primary, and what a drill has left so is nobody's to turn back
by the file. No estate without a replica is asked about.
"""

from typing import TYPE_CHECKING

from azrunbook import estate, resources
from azrunbook.resources import model, postgres

if TYPE_CHECKING:  # the SDKs are imported when a client is made, not with this module
    from azrunbook import arm

PRIMARY = "Primary"


def find(client: "arm.ArmClient", declared: estate.Estate, subscription_id: str) -> str:
    """The region (``primary``, ``secondary``) whose server takes writes.

    The first, where both do or neither exists yet: that is what the file says.
    """
    settings, regions = declared.postgres, list(declared.regions)
    if settings is None or not settings.replica:
        return regions[0]
    for role in regions[1:]:
        bodies = [
            client.find(
                postgres.server_id(declared, subscription_id, declared.regions[one]),
                model.get_api_version(model.SERVER),
            )
            for one in (regions[0], role)
        ]
        first, other = (body and body["properties"].get("replicationRole") for body in bodies)
        if other == PRIMARY != first:
            return role
    return regions[0]


def list_desired(
    client: "arm.ArmClient", declared: estate.Estate, subscription_id: str
) -> tuple[resources.DesiredResource, ...]:
    """Everything the estate declares, with the roles of its servers as they are."""
    writer = find(client, declared, subscription_id)
    return resources.desired_resources(declared, subscription_id, writer=writer)
