"""Defaults of pods and of pod templates."""

from typing import Any

Object = dict[str, Any]
MODE = 0o644
TOKEN_SECONDS = 3600


def pod(obj: Object) -> None:
    """A pod: its spec, and requests from limits."""
    spec = obj["spec"]
    pod_spec(spec)
    spec.setdefault("enableServiceLinks", True)
    for container in [*(spec.get("containers") or []), *(spec.get("initContainers") or [])]:
        resources = container["resources"]
        for name, value in (resources.get("limits") or {}).items():
            resources.setdefault("requests", {}).setdefault(name, value)


def template(obj: Object | None) -> None:
    """A pod template."""
    if obj is not None:
        pod_spec(obj.setdefault("spec", {}))


def pod_spec(spec: Object) -> None:
    """What pods and templates share."""
    spec.setdefault("restartPolicy", "Always")
    spec.setdefault("terminationGracePeriodSeconds", 30)
    spec.setdefault("dnsPolicy", "ClusterFirst")
    spec.setdefault("securityContext", {})
    spec.setdefault("schedulerName", "default-scheduler")
    if spec.get("serviceAccountName") or spec.get("serviceAccount"):
        spec.setdefault("serviceAccountName", spec.get("serviceAccount"))
        spec["serviceAccount"] = spec["serviceAccountName"]
    for key in ("containers", "initContainers", "ephemeralContainers"):
        for part in spec.get(key) or []:
            container(part, is_on_host=bool(spec.get("hostNetwork")))
    for part in spec.get("volumes") or []:
        volume(part)


def pull_policy(image: str) -> str:
    """Always for the tag latest, said or meant."""
    name, at, _ = image.partition("@")
    tag = name.rpartition("/")[2].partition(":")[2]
    is_latest = tag == "latest" or (not tag and not at)
    return "Always" if is_latest else "IfNotPresent"


def container(part: Object, *, is_on_host: bool) -> None:
    part.setdefault("terminationMessagePath", "/dev/termination-log")
    part.setdefault("terminationMessagePolicy", "File")
    part.setdefault("imagePullPolicy", pull_policy(part.get("image") or ""))
    for port in part.get("ports") or []:
        port.setdefault("protocol", "TCP")
        if is_on_host:
            port.setdefault("hostPort", port.get("containerPort", 0))
    for key in ("livenessProbe", "readinessProbe", "startupProbe"):
        if key in part:
            probe(part[key])
    for handler in (part.get("lifecycle") or {}).values():
        if isinstance(handler, dict):
            http_get(handler)
    for variable in part.get("env") or []:
        field_ref(variable.get("valueFrom") or {})


def field_ref(source: Object) -> None:
    if "fieldRef" in source:
        source["fieldRef"].setdefault("apiVersion", "v1")


def probe(part: Object) -> None:
    part.setdefault("timeoutSeconds", 1)
    part.setdefault("periodSeconds", 10)
    part.setdefault("successThreshold", 1)
    part.setdefault("failureThreshold", 3)
    http_get(part)
    if "grpc" in part:
        part["grpc"].setdefault("service", "")


def http_get(part: Object) -> None:
    if "httpGet" in part:
        part["httpGet"].setdefault("path", "/")
        part["httpGet"].setdefault("scheme", "HTTP")


def volume(part: Object) -> None:
    if set(part) <= {"name"}:
        part["emptyDir"] = {}
    for key in ("secret", "configMap", "downwardAPI", "projected"):
        if key in part:
            part[key].setdefault("defaultMode", MODE)
    for item in (part.get("downwardAPI") or {}).get("items") or []:
        field_ref(item)
    for source in (part.get("projected") or {}).get("sources") or []:
        if "serviceAccountToken" in source:
            source["serviceAccountToken"].setdefault("expirationSeconds", TOKEN_SECONDS)
        for item in (source.get("downwardAPI") or {}).get("items") or []:
            field_ref(item)
    _set_rare_volume(part)


def _set_rare_volume(part: Object) -> None:
    if "hostPath" in part:
        part["hostPath"].setdefault("type", "")
    if "ephemeral" in part and "volumeClaimTemplate" in part["ephemeral"]:
        part["ephemeral"]["volumeClaimTemplate"]["spec"].setdefault("volumeMode", "Filesystem")
    if "azureDisk" in part:
        for key, value in (
            ("cachingMode", "ReadWrite"),
            ("fsType", "ext4"),
            ("readOnly", False),
            ("kind", "Shared"),
        ):
            part["azureDisk"].setdefault(key, value)
