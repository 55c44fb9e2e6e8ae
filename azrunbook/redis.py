"""Databases of Azure Managed Redis: access keys, and the links of active geo-replication.

Reads and changes Microsoft.Cache/redisEnterprise through an ARM client; opens no connection to a
cache. Keys are registered as secrets the moment they are read.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

from azrunbook import operations, secrets

if TYPE_CHECKING:  # the SDKs are imported when a client is made, not with this module
    from azrunbook import arm


@dataclass(frozen=True)
class Keys:
    """The two access keys; either is the password, so that one can be replaced while in use."""

    primary: str = field(repr=False)
    secondary: str = field(repr=False)


class ManagedDatabases:
    """Databases by id (``…/redisEnterprise/<cluster>/databases/default``).

    Args:
        api_version: of Microsoft.Cache/redisEnterprise.
    """

    def __init__(self, client: "arm.ArmClient", *, api_version: str) -> None:
        self._arm = client
        self._api_version = api_version

    def get_keys(self, database_id: str) -> Keys:
        """Read the access keys.

        Raises:
            StepError: signing in with keys is switched off.
        """
        return _read_keys(self._arm.post(f"{database_id}/listKeys", self._api_version))

    def replace_key(
        self,
        database_id: str,
        which: Literal["Primary", "Secondary"],
        *,
        timeout: float = 600,
        progress: operations.Tell | None = None,
    ) -> Keys:
        """Replace one key by a new one; clients of the other go on.

        Raises:
            StepError: ARM refused.
        """
        body = {"keyType": which}
        self._act(database_id, "regenerateKey", body, timeout=timeout, progress=progress)
        return self.get_keys(database_id)

    def list_links(self, database_id: str) -> dict[str, str]:
        """Return the state of each database of the group, by id; empty without a group."""
        properties = self._arm.get(database_id, self._api_version)["properties"]
        linked = (properties.get("geoReplication") or {}).get("linkedDatabases") or []
        return {str(one["id"]): str(one["state"]) for one in linked}

    def unlink(
        self,
        database_id: str,
        gone_ids: Sequence[str],
        *,
        timeout: float = 1800,
        progress: operations.Tell | None = None,
    ) -> None:
        """Let a surviving database go on without others of its group; they keep what they have.

        Raises:
            StepError: ARM refused.
        """
        body = {"ids": list(gone_ids)}
        self._act(database_id, "forceUnlink", body, timeout=timeout, progress=progress)

    def join(
        self,
        database_id: str,
        group: str,
        member_ids: Sequence[str],
        *,
        timeout: float = 1800,
        progress: operations.Tell | None = None,
    ) -> None:
        """Let a database join the others of a group; **what it holds is discarded**.

        Raises:
            StepError: ARM refused.
        """
        linked = [{"id": one} for one in (*member_ids, database_id)]
        body = {"geoReplication": {"groupNickname": group, "linkedDatabases": linked}}
        action = "forceLinkToReplicationGroup"
        self._act(database_id, action, body, timeout=timeout, progress=progress)

    def _act(
        self,
        database_id: str,
        action: str,
        body: dict[str, Any],
        *,
        timeout: float,
        progress: operations.Tell | None,
    ) -> None:
        poller = self._arm.begin_post(
            f"{database_id}/{action}", self._api_version, body, patience=timeout, progress=progress
        )
        what = f"{action} of {database_id}"
        self._arm.wait(poller, what=what, timeout=timeout, progress=progress)


def _read_keys(body: dict[str, Any]) -> Keys:
    keys = Keys(str(body["primaryKey"]), str(body["secondaryKey"]))
    secrets.register(keys.primary)
    secrets.register(keys.secondary)
    return keys
