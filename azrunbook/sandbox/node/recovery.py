"""What a pod's object says of the past and of itself, read once and turned into records. Pure.

A node that comes back finds pods that were running: their processes are gone, so each container
counts as ended (255, Unknown, as after a reboot) and is started anew.
"""

from azrunbook.sandbox.node import clock, config, statuses


def recall_records(pod: config.Object) -> dict[str, statuses.ContainerRecord]:
    """Return a record for each container, init containers first."""
    spec, status = pod["spec"], pod.get("status") or {}
    known = {
        entry["name"]: entry
        for group in ("initContainerStatuses", "containerStatuses", "ephemeralContainerStatuses")
        for entry in status.get(group) or ()
    }
    records = {}
    is_ended = status.get("phase") in {"Succeeded", "Failed"}
    init = spec.get("initContainers") or ()
    for container in init:
        kind: statuses.Kind = "sidecar" if container.get("restartPolicy") == "Always" else "init"
        records[container["name"]] = _recall(
            container, kind, known, "PodInitializing", is_ended=is_ended
        )
    reason = "PodInitializing" if init else "ContainerCreating"
    for container in spec["containers"]:
        records[container["name"]] = _recall(container, "main", known, reason, is_ended=is_ended)
    for container in spec.get("ephemeralContainers") or ():
        # One that has run, or ran when the node was lost, is not run again.
        records[container["name"]] = _recall(
            container, "ephemeral", known, "ContainerCreating", is_ended=True
        )
    return records


def list_new_debuggers(
    spec: config.Object, records: dict[str, statuses.ContainerRecord]
) -> list[config.Object]:
    """Add a record for each ephemeral container without one; those that have not run yet."""
    found = []
    for container in spec.get("ephemeralContainers") or ():
        name = container["name"]
        if name not in records:
            records[name] = statuses.ContainerRecord(name, container["image"], "ephemeral")
        if not records[name].container_id:
            found.append(container)
    return found


def was_running(pod: config.Object) -> bool:
    """Tell whether a container of this pod has run before, on this node's earlier life."""
    entries = (pod.get("status") or {}).get("containerStatuses") or ()
    return any(entry.get("containerID") for entry in entries)


def read_gates(spec: config.Object, conditions: list[config.Object]) -> dict[str, bool]:
    """Return the readiness gates and whether their conditions are true."""
    true = {item["type"] for item in conditions if item["status"] == "True"}
    names = [gate["conditionType"] for gate in spec.get("readinessGates") or ()]
    return {name: name in true for name in names}


def describe_addresses(address: str, pod: config.Object) -> config.Object:
    """Return podIP and podIPs; an earlier address is taken out of the list (merged by ip)."""
    if not address:
        return {}
    earlier = (pod.get("status") or {}).get("podIP")
    gone = [{"$patch": "delete", "ip": earlier}] if earlier and earlier != address else []
    return {"podIP": address, "podIPs": [{"ip": address}, *gone]}


def describe_records(
    records: dict[str, statuses.ContainerRecord], spec: config.Object
) -> config.Object:
    """Return the lists of container statuses, in the order of the specification."""
    lists = {
        "initContainerStatuses": [r for r in records.values() if r.kind in {"init", "sidecar"}],
        "containerStatuses": [r for r in records.values() if r.kind == "main"],
        "ephemeralContainerStatuses": [r for r in records.values() if r.kind == "ephemeral"],
    }
    if not spec.get("ephemeralContainers"):
        del lists["ephemeralContainerStatuses"]
    if not spec.get("initContainers"):
        del lists["initContainerStatuses"]
    return {key: [statuses.describe_container(r) for r in value] for key, value in lists.items()}


def _recall(
    container: config.Object,
    kind: statuses.Kind,
    known: dict[str, config.Object],
    reason: str,
    *,
    is_ended: bool,
) -> statuses.ContainerRecord:
    record = statuses.ContainerRecord(container["name"], container["image"], kind)
    record.state = statuses.waiting(reason)
    before = known.get(container["name"])
    if before is None:
        return record
    record.restart_count = before.get("restartCount", 0)
    record.last_state = before.get("lastState") or {}
    if not before.get("containerID"):
        return record
    record.image = before.get("image", record.image)
    record.image_id, record.container_id = before.get("imageID", ""), before["containerID"]
    state = before.get("state") or {}
    if is_ended:
        record.state = state
        return record
    if "terminated" in state:
        record.last_state = state
    elif "running" in state:
        record.last_state = statuses.terminated(
            exit_code=255,
            reason="Unknown",
            container_id=before["containerID"],
            started_at=state["running"].get("startedAt"),
            at=clock.now(),
        )
    record.restart_count += 1
    return record
