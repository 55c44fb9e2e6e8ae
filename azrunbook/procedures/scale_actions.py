"""What the steps of procedure 05 do, each of them idempotent; decided by :mod:`scale`."""

from azrunbook import connect, errors, estate, forecast, wait
from azrunbook.procedures import actions, release_steps, scale


@actions.action("release_scaled")
def release_scaled(
    clients: connect.Clients,
    progress: actions.Progress,
    *,
    role: estate.RegionName,
    replicas: int,
) -> str:
    """Release the declared version in another size; what others made of the size is put back."""
    spec = scale.with_replicas(scale.get_spec(clients, role), replicas)
    return release_steps.release(clients, progress, spec, takes_over=True)


@actions.action("release_autoscaled")
def release_autoscaled(
    clients: connect.Clients, progress: actions.Progress, *, role: estate.RegionName
) -> str:
    """Release the declared version with the autoscaler."""
    spec = scale.with_autoscaling(scale.get_spec(clients, role))
    return release_steps.release(clients, progress, spec, takes_over=True)


@actions.action("scale_back_release")
def scale_back_release(
    clients: connect.Clients, progress: actions.Progress, *, role: estate.RegionName
) -> str:
    """Release as declared, whoever changed the size since."""
    spec = scale.get_spec(clients, role)
    return release_steps.release(clients, progress, spec, takes_over=True)


@actions.action("scale_deployment")
def scale_deployment(
    clients: connect.Clients,
    progress: actions.Progress,
    *,
    role: estate.RegionName,
    name: str,
    namespace: str,
    replicas: int,
) -> str:
    """As somebody does by hand: past Helm."""
    found = clients.region(role).workloads
    found.scale(namespace, name, replicas)
    found.wait_for_rollout(
        namespace, release=name, timeout=progress.remaining_seconds, progress=progress
    )
    return f"{replicas} replicas, which Helm does not know of"


@actions.action("fill_pool")
def fill_pool(
    clients: connect.Clients,
    progress: actions.Progress,
    *,
    role: estate.RegionName,
    pool: str,
    fitting: int,
    cpu_milli: int,
) -> str:
    """Release as many probes as fit, then ask for one more and see it wait for room."""
    probe = scale.make_probe(
        scale.get_spec(clients, role), pool=pool, replicas=fitting, cpu_milli=cpu_milli
    )
    release_steps.release(clients, progress, probe, takes_over=True)
    clients.region(role).workloads.scale(probe.namespace, probe.name, fitting + 1)

    def look() -> wait.Seen[str]:
        waiting = [pod for pod in _list_probes(clients, role) if not pod["spec"].get("nodeName")]
        said = [_why(pod) for pod in waiting]
        return wait.Seen(
            next(filter(None, said), ""), any(said), f"waiting for a node: {len(waiting)}"
        )

    timeout = progress.remaining_seconds
    return wait.wait_until(look, what="one probe too many", timeout=timeout, progress=progress)


@actions.action("remove_probes")
def remove_probes(
    clients: connect.Clients,
    progress: actions.Progress,
    *,
    role: estate.RegionName,
    name: str,
    namespace: str,
) -> str:
    """Uninstall the probes and wait until their pods are gone: they hold room until then."""
    helm = clients.region(role).releases
    helm.uninstall(name, namespace, timeout=progress.remaining_seconds)

    def look() -> wait.Seen[str]:
        left = len(_list_probes(clients, role))
        return wait.Seen("no probe is left", left == 0, f"probes that end: {left}")

    timeout = progress.remaining_seconds
    return wait.wait_until(look, what="probes gone", timeout=timeout, progress=progress)


def _list_probes(clients: connect.Clients, role: estate.RegionName) -> list[forecast.Object]:
    found = clients.region(role).nodes.take_snapshot().pods
    return [pod for pod in found if scale.is_of_release(pod, scale.PROBE)]


def _why(pod: forecast.Object) -> str:
    """What the scheduler said of it."""
    conditions = (pod.get("status") or {}).get("conditions") or ()
    said = [one.get("message", "") for one in conditions if one.get("reason") == "Unschedulable"]
    return next(iter(said), "")


@actions.action("scale_pool")
def scale_pool(
    clients: connect.Clients,
    progress: actions.Progress,
    *,
    role: estate.RegionName,
    pool: str,
    count: int,
    placed: int = 0,
) -> str:
    """Give the pool so many nodes; wait until they are ready, and so many probes on a node."""
    clients.clusters.scale_pool(
        clients.estate.regions[role].resource_group,
        clients.estate.cluster.name,
        pool,
        count,
        timeout=progress.remaining_seconds,
        progress=progress,
    )

    def look() -> wait.Seen[str]:
        snapshot = clients.region(role).nodes.take_snapshot()
        mine = [one for one in snapshot.nodes if scale.get_pool_name(one) == pool]
        ready = sum(forecast.is_usable(one) for one in mine)
        probes = [pod for pod in snapshot.pods if scale.is_of_release(pod, scale.PROBE)]
        running = sum((pod.get("status") or {}).get("phase") == "Running" for pod in probes)
        state = f"{ready} of {count} nodes ready" + (f", {running} probes run" if placed else "")
        return wait.Seen(state, len(mine) == ready == count and running >= placed, state)

    what = f"node pool {pool} at {count}"
    timeout = progress.remaining_seconds
    return wait.wait_until(look, what=what, timeout=timeout, progress=progress)


@actions.action("drain_node")
def drain_node(
    clients: connect.Clients,
    progress: actions.Progress,
    *,
    role: estate.RegionName,
    node: str,
) -> str:
    """Cordon the node, evict its pods under their budgets, wait until the app is whole again."""
    region, app = clients.region(role), clients.estate.app
    evicted = region.nodes.drain(node, timeout=progress.remaining_seconds, progress=progress)
    region.workloads.wait_for_rollout(
        app.namespace, release=app.release, timeout=progress.remaining_seconds, progress=progress
    )
    return f"evicted {', '.join(evicted) or 'nothing'}"


@actions.action("uncordon_node")
def uncordon_node(
    clients: connect.Clients,
    _progress: actions.Progress,
    *,
    role: estate.RegionName,
    node: str,
) -> str:
    """Let pods onto the node again; one that is gone needs none."""
    try:
        clients.region(role).nodes.uncordon(node)
    except errors.NotFoundError:
        return f"{node} is gone"
    return f"{node} takes pods again"
