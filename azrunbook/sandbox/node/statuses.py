"""From the states of containers to the status of their pod: the kubelet's arithmetic. Pure."""

import datetime as dt
from dataclasses import dataclass, field
from typing import Literal

from azrunbook.sandbox.node import clock, config

Kind = Literal["init", "sidecar", "main", "ephemeral"]


@dataclass
class ContainerRecord:
    """What is known of one container; ``state`` and ``last_state`` are ContainerState objects."""

    name: str
    image: str
    kind: Kind = "main"
    state: config.Object = field(default_factory=lambda: waiting("ContainerCreating"))
    last_state: config.Object = field(default_factory=dict)
    image_id: str = ""
    container_id: str = ""
    restart_count: int = 0
    is_started: bool = False
    is_ready: bool = False

    @property
    def is_running(self) -> bool:
        return "running" in self.state

    @property
    def exit_code(self) -> int | None:
        """The exit code of a container that has ended, else None."""
        ended = self.state.get("terminated")
        return None if ended is None else int(ended["exitCode"])


def waiting(reason: str, message: str = "") -> config.Object:
    """Return a waiting state."""
    return {"waiting": {"reason": reason, **({"message": message} if message else {})}}


def running(at: dt.datetime) -> config.Object:
    """Return a running state."""
    return {"running": {"startedAt": clock.to_text(at)}}


def terminated(
    *,
    exit_code: int,
    reason: str,
    container_id: str,
    started_at: str | None,
    at: dt.datetime,
    message: str = "",
) -> config.Object:
    """Return a terminated state; a container that never started has the epoch as its start."""
    return {
        "terminated": {
            "exitCode": exit_code,
            "reason": reason,
            "startedAt": started_at or "1970-01-01T00:00:00Z",
            "finishedAt": clock.to_text(at),
            "containerID": container_id,
            **({"message": message} if message else {}),
        }
    }


def describe_container(record: ContainerRecord) -> config.Object:
    """Return the ContainerStatus."""
    return {
        "name": record.name,
        "state": record.state,
        "lastState": record.last_state,
        "ready": record.is_ready,
        "restartCount": record.restart_count,
        "image": record.image,
        "imageID": record.image_id,
        "started": record.is_started,
        **({"containerID": record.container_id} if record.container_id else {}),
    }


def compute_phase(
    records: list[ContainerRecord], restart_policy: str, *, is_initialized: bool
) -> str:
    """Return the pod's phase, as kubelet's getPhase does."""
    main = [record for record in records if record.kind == "main"]
    failed_init = any(r.kind == "init" and (r.exit_code or 0) != 0 for r in records)
    if failed_init and restart_policy == "Never":
        return "Failed"
    if not is_initialized or any(_never_ran(record) for record in main):
        return "Pending"
    codes = [record.exit_code for record in main]
    if None in codes or restart_policy == "Always":
        return "Running"  # also between two starts
    if not any(codes):
        return "Succeeded"
    return "Running" if restart_policy == "OnFailure" else "Failed"


def compute_final_phase(records: list[ContainerRecord]) -> str:
    """Return the phase of a pod that was stopped for good."""
    codes = [record.exit_code for record in records if record.kind == "main"]
    return "Succeeded" if codes and all(code == 0 for code in codes) else "Failed"


def compute_conditions(
    records: list[ContainerRecord],
    *,
    phase: str,
    is_initialized: bool,
    has_sandbox: bool,
    gates: dict[str, bool],
) -> list[config.Object]:
    """Return the kubelet's conditions without instants; ``gates`` are the readiness gates."""
    serving = [record for record in records if record.kind in {"main", "sidecar"}]
    unready = [record.name for record in serving if not record.is_ready]
    first = [record for record in records if record.kind in {"init", "sidecar"}]
    not_initialized = [record.name for record in first if not _is_past(record)]
    ended = phase in {"Succeeded", "Failed"}
    if ended and phase == "Succeeded":
        containers = ("False", "PodCompleted", "")
    elif ended:
        containers = ("False", "PodFailed", "")
    elif unready:
        names = " ".join(unready)
        containers = ("False", "ContainersNotReady", f"containers with unready status: [{names}]")
    else:
        containers = ("True", "", "")
    missing = [f'"{name}"' for name, is_true in gates.items() if not is_true]
    ready = containers
    if containers[0] == "True" and missing:
        text = f"corresponding condition of pod readiness gate {', '.join(missing)} is not True."
        ready = ("False", "ReadinessGatesNotReady", text)
    initialized = ("True", "PodCompleted" if phase == "Succeeded" else "", "")
    if not is_initialized:
        names = " ".join(not_initialized)
        text = f"containers with incomplete status: [{names}]"
        initialized = ("False", "ContainersNotInitialized", text)
    sandbox = ("True" if has_sandbox else "False", "", "")
    rows = {
        "PodReadyToStartContainers": sandbox,
        "Initialized": initialized,
        "Ready": ready,
        "ContainersReady": containers,
    }
    return [
        {
            "type": kind,
            "status": status,
            "reason": reason or None,
            "message": message or None,
        }
        for kind, (status, reason, message) in rows.items()
    ]


def stamp_conditions(
    conditions: list[config.Object], known: list[config.Object], at: dt.datetime
) -> list[config.Object]:
    """Add the instants: a condition whose status stays keeps the instant it has."""
    before = {item["type"]: item for item in known}
    stamped = []
    for item in conditions:
        old = before.get(item["type"], {})
        same = old.get("status") == item["status"] and "lastTransitionTime" in old
        since = old["lastTransitionTime"] if same else clock.to_text(at)
        # A null in a patch removes what is there; where nothing is, there is nothing to say.
        said = {key: value for key, value in item.items() if value is not None or key in old}
        stamped.append({**said, "lastProbeTime": None, "lastTransitionTime": since})
    return stamped


def _never_ran(record: ContainerRecord) -> bool:
    return "waiting" in record.state and not record.last_state


def _is_past(record: ContainerRecord) -> bool:
    return record.is_started if record.kind == "sidecar" else record.exit_code == 0
