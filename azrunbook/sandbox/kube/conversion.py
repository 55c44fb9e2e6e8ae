"""Conversion between the served forms of one stored object.

Law: pure. Stored are HorizontalPodAutoscaler v2 and core v1 Events; v1 autoscalers and
events.k8s.io Events are other views of the same objects.
"""

from collections.abc import Sequence
from typing import Any

from azrunbook.sandbox.kube.resources import Resource

Object = dict[str, Any]

EVENT_FIELDS = {
    "involvedObject": "regarding",
    "message": "note",
    "reportingComponent": "reportingController",
    "source": "deprecatedSource",
    "firstTimestamp": "deprecatedFirstTimestamp",
    "lastTimestamp": "deprecatedLastTimestamp",
    "count": "deprecatedCount",
}


def to_version(resource: Resource, obj: Object) -> Object:
    """A stored object as this resource's version shows it."""
    if resource.custom is not None:
        if obj.get("apiVersion") == resource.api_version:
            return obj
        return {**obj, "apiVersion": resource.api_version}
    if resource.api_version == resource.storage_api_version:
        return obj
    if resource.group == "events.k8s.io":
        return _rename(obj, EVENT_FIELDS, resource.api_version)
    return _autoscaler_to_v1(obj)


def all_to_version(resource: Resource, objects: Sequence[Object]) -> list[Object]:
    if resource.custom is None and resource.api_version == resource.storage_api_version:
        return list(objects)
    return [to_version(resource, obj) for obj in objects]


def to_storage(resource: Resource, obj: Object) -> Object:
    """What a client sent in this version, in the stored form."""
    if resource.custom is not None or resource.api_version == resource.storage_api_version:
        return obj
    if resource.group == "events.k8s.io":
        back = {new: old for old, new in EVENT_FIELDS.items()}
        return _rename(obj, back, resource.storage_api_version)
    return _autoscaler_to_v2(obj)


def _rename(obj: Object, names: dict[str, str], api_version: str) -> Object:
    found = {names.get(key, key): value for key, value in obj.items()}
    found["apiVersion"] = api_version
    return found


def _cpu_target(metric: Object) -> int | None:
    target: Object = (metric.get("resource") or {}).get("target") or {}
    if metric.get("type") != "Resource" or metric["resource"].get("name") != "cpu":
        return None
    found = target.get("averageUtilization")
    return int(found) if found is not None else None


def _autoscaler_to_v1(obj: Object) -> Object:
    spec, status = dict(obj.get("spec") or {}), dict(obj.get("status") or {})
    for metric in spec.pop("metrics", None) or []:
        target = _cpu_target(metric)
        if target is not None:
            spec["targetCPUUtilizationPercentage"] = target
    spec.pop("behavior", None)
    for metric in status.pop("currentMetrics", None) or []:
        current = (metric.get("resource") or {}).get("current") or {}
        if "averageUtilization" in current and metric["resource"].get("name") == "cpu":
            status["currentCPUUtilizationPercentage"] = current["averageUtilization"]
    status.pop("conditions", None)
    status.setdefault("currentReplicas", 0)
    status.setdefault("desiredReplicas", 0)
    return {**obj, "apiVersion": "autoscaling/v1", "spec": spec, "status": status}


def _autoscaler_to_v2(obj: Object) -> Object:
    spec, status = dict(obj.get("spec") or {}), dict(obj.get("status") or {})
    target = spec.pop("targetCPUUtilizationPercentage", None)
    if target is not None:
        spec["metrics"] = [
            {
                "type": "Resource",
                "resource": {
                    "name": "cpu",
                    "target": {"type": "Utilization", "averageUtilization": target},
                },
            }
        ]
    current = status.pop("currentCPUUtilizationPercentage", None)
    status["currentMetrics"] = None
    if current is not None:
        value = {"averageUtilization": current, "averageValue": "0"}
        status["currentMetrics"] = [
            {"type": "Resource", "resource": {"name": "cpu", "current": value}}
        ]
    return {**obj, "apiVersion": "autoscaling/v2", "spec": spec, "status": status}
