"""Volumes of a pod as directories: emptyDir, configMap, secret, downwardAPI, projected, hostPath.

A ConfigMap, Secret, label or annotation that changes is carried into a running pod when ``refresh``
is called, but not into a file that is mounted by ``subPath``; a token stays. A bound claim is a
directory that outlives the pod and is the same on every node; it stays as long as the sandbox
does. Every other kind of volume is refused with the kubelet's FailedMount, and the pod waits.
"""

import asyncio
import contextlib
from collections.abc import Callable, Mapping
from pathlib import Path

from azrunbook.sandbox.node import (
    api,
    atomic,
    config,
    credentials,
    environment,
    fields,
    references,
)

_DEFAULT_MODE = 0o644


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
        self._written: dict[str, dict[str, atomic.File]] = {}
        self._tokens: dict[str | None, bytes] = {}
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
        if _find_kind(volume) == "emptyDir":
            place = self._folder / str(volume["name"])
            place.mkdir(parents=True, exist_ok=True)
            return place
        return await self._write(volume)

    async def refresh(self, pod: config.Object) -> None:
        """Bring the files up to date with the pod and what it refers to.

        What has gone missing meanwhile stays as it was.
        """
        self._pod = pod
        self._found = references.References(self._client, pod["metadata"]["namespace"])
        for volume in pod["spec"].get("volumes") or ():
            if volume["name"] in self._written:
                with contextlib.suppress(references.MissingError, fields.FieldError, *api.FAILURES):
                    await self._write(volume)

    async def _write(self, volume: config.Object) -> Path:
        name, kind = str(volume["name"]), _find_kind(volume)
        source = volume[kind]
        mode = source.get("defaultMode") or _DEFAULT_MODE
        sources = source.get("sources") or [] if kind == "projected" else [{kind: source}]
        files: dict[str, atomic.File] = {}
        for each in sources:
            files |= await self._collect(each, mode)
        place = self._folder / name
        if self._written.get(name) != files:
            keeps_old = _has_sub_path(self._pod["spec"], name)
            await asyncio.to_thread(atomic.write, place, files, keeps_old=keeps_old)
            self._written[name] = files
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

    async def _collect(self, source: config.Object, mode: int) -> dict[str, atomic.File]:
        if chosen := source.get("configMap"):
            return await self._read("configmap", chosen.get("name", ""), chosen, mode)
        if chosen := source.get("secret"):
            name = chosen.get("secretName") or chosen["name"]
            return await self._read("secret", name, chosen, mode)
        if "downwardAPI" in source:
            return self._read_fields(source["downwardAPI"] or {}, mode)
        if chosen := source.get("serviceAccountToken"):
            token = await self._find_token(chosen.get("audience"))
            return {chosen["path"]: atomic.File(token, mode)}
        raise VolumeError(f"volumes of the kind {', '.join(source)} are not emulated")

    async def _find_token(self, audience: str | None) -> bytes:
        if audience not in self._tokens:
            token = await credentials.request_token(self._client, self._pod, audience=audience)
            self._tokens[audience] = token.encode()
        return self._tokens[audience]

    async def _read(
        self, kind: str, name: str, source: config.Object, mode: int
    ) -> dict[str, atomic.File]:
        is_optional = bool(source.get("optional"))
        data = await self._found.get_data(kind, name, is_optional=is_optional)
        items = source.get("items") or [{"key": key, "path": key} for key in data]
        for item in items:
            if item["key"] not in data and not is_optional:
                raise references.MissingError(f"references non-existent {kind} key: {item['key']}")
        return {
            item["path"]: atomic.File(data[item["key"]], item.get("mode") or mode)
            for item in items
            if item["key"] in data
        }

    def _read_fields(self, source: config.Object, mode: int) -> dict[str, atomic.File]:
        files = {}
        containers = {c["name"]: c for c in self._pod["spec"]["containers"]}
        for item in source.get("items") or ():
            if selector := item.get("fieldRef"):
                text = fields.resolve_field(self._pod, selector["fieldPath"])
            else:
                selector = item["resourceFieldRef"]
                container = containers.get(selector.get("containerName", ""), {})
                text = fields.resolve_resource(container, selector, self._allocatable)
            files[item["path"]] = atomic.File(text.encode(), item.get("mode") or mode)
        return files


def _find_kind(volume: config.Object) -> str:
    kinds = [key for key in volume if key != "name" and volume[key] is not None]
    return kinds[0] if kinds else "emptyDir"


def _has_sub_path(spec: config.Object, volume: str) -> bool:
    parts = [*(spec.get("initContainers") or ()), *spec["containers"]]
    mounts = [mount for part in parts for mount in part.get("volumeMounts") or ()]
    names = {mount["name"] for mount in mounts if mount.get("subPath") or mount.get("subPathExpr")}
    return volume in names


def list_mounts(
    container: config.Object, places: dict[str, Path], env: Mapping[str, str]
) -> dict[str, Path]:
    """Return where each mount path of a container really is.

    The folder of a ``subPath`` is made; a file of one is the file that is there now.

    Raises:
        VolumeError: a ``subPath`` leads out of its volume, or names a variable that is not set.
    """
    mounts = {}
    for mount in container.get("volumeMounts") or ():
        place = places[mount["name"]]
        sub_path = environment.expand(mount.get("subPathExpr") or "", env)
        if "$(" in sub_path:
            raise VolumeError(
                f"subPathExpr {mount['subPathExpr']} names a variable that is not set"
            )
        sub_path = sub_path or mount.get("subPath") or ""
        if sub_path:
            if sub_path.startswith("/") or ".." in sub_path.split("/"):
                raise VolumeError(f"subPath {sub_path} must be a path within the volume")
            place = (place / sub_path).resolve()
            if not place.exists():
                place.mkdir(parents=True)
        mounts[mount["mountPath"].rstrip("/")] = place
    return mounts
