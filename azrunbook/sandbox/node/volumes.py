"""Volumes of a pod as directories: emptyDir, configMap, secret, downwardAPI, projected, hostPath.

Contents are written once, when the pod starts: a ConfigMap that changes later is not carried into
a running pod (the kubelet does so within about a minute). A bound claim is a directory that
outlives the pod and is the same on every node; it stays as long as the sandbox does. Every other
kind of volume is refused with the kubelet's FailedMount, and the pod waits.
"""

from collections.abc import Callable
from pathlib import Path

from azrunbook.sandbox.node import api, config, credentials, fields, references


class VolumeError(Exception):
    """A volume cannot be set up (yet); the words go into a FailedMount event."""


class VolumeBuilder:
    """Writes the volumes of one pod under one folder."""

    def __init__(
        self,
        client: api.ApiClient,
        pod: config.Object,
        folder: Path,
        *,
        disks: Path,
        allocatable: dict[str, str],
        forgive: Callable[[str], None] | None = None,
    ) -> None:
        """`folder` is the pod's own and ends with it; `disks` holds the persistent volumes.

        With `forgive`, a missing ConfigMap or Secret leaves its volume empty, and it is told why.
        """
        self._client = client
        self._pod = pod
        self._folder = folder
        self._disks = disks
        self._allocatable = allocatable
        self._forgive = forgive
        self._found = references.References(client, pod["metadata"]["namespace"])

    async def build(self) -> dict[str, Path]:
        """Return the directory of each volume, by its name.

        Raises:
            VolumeError: one is missing what it refers to, or is of a kind that is not emulated.
        """
        places = {}
        for volume in self._pod["spec"].get("volumes") or ():
            try:
                places[volume["name"]] = await self._build_one(volume)
            except (references.MissingError, fields.FieldError, api.ApiError) as error:
                text = f'MountVolume.SetUp failed for volume "{volume["name"]}" : {error}'
                if self._forgive is None or not isinstance(error, references.MissingError):
                    raise VolumeError(text) from error
                self._forgive(text)
                places[volume["name"]] = self._folder / volume["name"]
        return places

    async def _build_one(self, volume: config.Object) -> Path:
        if host_path := volume.get("hostPath"):
            return Path(str(host_path["path"]))
        if claimed := volume.get("persistentVolumeClaim"):
            return await self._find_claimed(str(claimed["claimName"]))
        if "ephemeral" in volume:
            return await self._find_claimed(f"{self._pod['metadata']['name']}-{volume['name']}")
        place = self._folder / str(volume["name"])
        place.mkdir(parents=True, exist_ok=True)
        kinds = [key for key in volume if key != "name" and volume[key] is not None]
        kind = kinds[0] if kinds else "emptyDir"
        if kind == "emptyDir":
            return place
        source = volume[kind]
        sources = source.get("sources") or [] if kind == "projected" else [{kind: source}]
        for each in sources:
            for path, content in (await self._collect(each)).items():
                target = place / path
                target.parent.mkdir(parents=True, exist_ok=True)
                credentials.write_private(target, content)
        return place

    async def _find_claimed(self, name: str) -> Path:
        """Return the directory of the persistent volume that a claim is bound to."""
        where = f"/api/v1/namespaces/{self._pod['metadata']['namespace']}/persistentvolumeclaims"
        claim: config.Object = await self._client.get(f"{where}/{name}")
        if (claim.get("status") or {}).get("phase") != "Bound":
            raise VolumeError(f"PVC {self._pod['metadata']['namespace']}/{name} is not bound")
        volume_name = str(claim["spec"]["volumeName"])
        spec = (await self._client.get(f"/api/v1/persistentvolumes/{volume_name}"))["spec"]
        for kind in ("hostPath", "local"):
            if kind in spec:
                return Path(str(spec[kind]["path"]))
        place = self._disks / volume_name
        place.mkdir(parents=True, exist_ok=True)
        return place

    async def _collect(self, source: config.Object) -> dict[str, bytes]:
        if chosen := source.get("configMap"):
            return await self._read("configmap", chosen.get("name", ""), chosen)
        if chosen := source.get("secret"):
            return await self._read("secret", chosen.get("secretName") or chosen["name"], chosen)
        if "downwardAPI" in source:
            return self._read_fields(source["downwardAPI"] or {})
        if chosen := source.get("serviceAccountToken"):
            audience = chosen.get("audience")
            token = await credentials.request_token(self._client, self._pod, audience=audience)
            return {chosen["path"]: token.encode()}
        raise VolumeError(f"volumes of the kind {', '.join(source)} are not emulated")

    async def _read(self, kind: str, name: str, source: config.Object) -> dict[str, bytes]:
        is_optional = bool(source.get("optional"))
        data = await self._found.get_data(kind, name, is_optional=is_optional)
        items = source.get("items")
        if not items:
            return data
        for item in items:
            if item["key"] not in data and not is_optional:
                raise references.MissingError(f"references non-existent {kind} key: {item['key']}")
        return {item["path"]: data[item["key"]] for item in items if item["key"] in data}

    def _read_fields(self, source: config.Object) -> dict[str, bytes]:
        files = {}
        containers = {c["name"]: c for c in self._pod["spec"]["containers"]}
        for item in source.get("items") or ():
            if selector := item.get("fieldRef"):
                text = fields.resolve_field(self._pod, selector["fieldPath"])
            else:
                selector = item["resourceFieldRef"]
                container = containers.get(selector.get("containerName", ""), {})
                text = fields.resolve_resource(container, selector, self._allocatable)
            files[item["path"]] = text.encode()
        return files


def list_mounts(container: config.Object, places: dict[str, Path]) -> dict[str, Path]:
    """Return where each mount path of a container really is."""
    mounts = {}
    for mount in container.get("volumeMounts") or ():
        place = places[mount["name"]]
        if sub_path := mount.get("subPath"):
            place /= sub_path
        mounts[mount["mountPath"]] = place
    return mounts
