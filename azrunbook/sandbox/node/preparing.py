"""What must be there before a container's process can start: its environment and its paths."""

from collections.abc import Mapping

from azrunbook.sandbox.node import (
    config,
    credentials,
    environment,
    fields,
    image as images,
    launch,
    paths,
    python,
    references,
    runtime,
    volumes,
)

_TEMPORARY = "/tmp"  # noqa: S108 - a container's own path
_TRUST = "/etc/ssl/certs"


class ConfigError(Exception):
    """A container cannot be created from its specification (CreateContainerConfigError)."""


async def prepare(
    parts: runtime.Runtime,
    place: runtime.Place,
    pod: config.Object,
    container: config.Object,
    image: images.Image,
) -> tuple[launch.Launch, launch.Surroundings]:
    """Return what to start, and the surroundings for commands in it.

    Raises:
        ConfigError: something that it refers to is missing, or it must not run as root.
        StartError: its program is not found.
        ApiError: the API server refuses an answer.
    """
    check_user(pod, container, image)
    inherited = dict(image.env)
    if place.kubeconfig is not None:
        inherited["KUBECONFIG"] = str(place.kubeconfig)
    if place.kubeconfig is None or image.sites:
        # These send a client to the token's files at their fixed path, which only Python finds
        # here; every other one is better off with KUBECONFIG alone.
        inherited |= environment.describe_cluster(parts.client.access.url)
    try:
        env = await environment.build_environment(
            with_addresses(pod, place.address, parts.config.address),
            container,
            inherited=inherited,
            found=references.References(parts.client, pod["metadata"]["namespace"]),
            allocatable=parts.allocatable,
        )
    except (references.MissingError, fields.FieldError) as error:
        raise ConfigError(str(error)) from error
    try:
        around = _surround(parts.config, place, pod, container, image, env)
    except (volumes.VolumeError, OSError) as error:
        text = f'failed to prepare subPath for volumeMount of container "{container["name"]}"'
        raise ConfigError(f"{text}: {error}") from error
    return launch.plan_launch(image, container, env, around), around


def _surround(
    node: config.NodeConfig,
    place: runtime.Place,
    pod: config.Object,
    container: config.Object,
    image: images.Image,
    env: Mapping[str, str],
) -> launch.Surroundings:
    folder = place.folder / "containers" / container["name"]
    home, temporary = folder / "home", folder / "tmp"
    for each in (home, temporary):
        each.mkdir(parents=True, exist_ok=True)
    # A file system of its own would have a /tmp of its own.
    mounts = {_TEMPORARY: temporary}
    if node.trust_folder is not None:
        mounts[_TRUST] = node.trust_folder
    if place.kubeconfig is not None:
        mounts[credentials.MOUNT_PATH] = place.kubeconfig.parent
    mounts |= volumes.list_mounts(container, place.volumes, env)
    return launch.Surroundings(
        path_map=paths.PathMap(
            mounts,
            image.root,
            (place.folder, *image.sites, *image.search_path, python.INSIDE),
        ),
        address=place.address,
        host_name=pod["spec"].get("hostname") or pod["metadata"]["name"],
        home=home,
        temporary=mounts[_TEMPORARY],
        names_path=node.names_path,
    )


def with_addresses(pod: config.Object, address: str, host: str) -> config.Object:
    """Return the pod with the addresses it is about to have. Pure."""
    status = {
        **pod.get("status", {}),
        "podIP": address,
        "podIPs": [{"ip": address}],
        "hostIP": host,
        "hostIPs": [{"ip": host}],
    }
    return {**pod, "status": status}


def check_user(pod: config.Object, container: config.Object, image: images.Image) -> None:
    """Refuse root where the pod says ``runAsNonRoot``; the user itself is not changed to. Pure.

    Raises:
        ConfigError: the container would run as root, or it cannot be told.
    """
    context: Mapping[str, object] = {
        **(pod["spec"].get("securityContext") or {}),
        **(container.get("securityContext") or {}),
    }
    if not context.get("runAsNonRoot"):
        return
    user = context.get("runAsUser")
    if user == 0:
        raise ConfigError("container's runAsUser breaks non-root policy")
    if user is None:
        name = image.user.partition(":")[0]
        if name in {"", "0", "root"}:
            raise ConfigError("container has runAsNonRoot and image will run as root")
        if not name.isdigit():
            raise ConfigError(
                f"container has runAsNonRoot and image has non-numeric user ({name}), "
                "cannot verify user is non-root"
            )
