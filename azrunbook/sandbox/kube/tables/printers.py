"""The printers by kind: each gives the cells of one row, in the order of the columns."""

from collections.abc import Callable
from typing import Any

from azrunbook.sandbox.kube.tables import core, other, pods, workloads

Object = dict[str, Any]

PRINTERS: dict[str, Callable[[Object], list[Any]]] = {
    "pods": pods.row,
    **core.PRINTERS,
    **workloads.PRINTERS,
    **other.PRINTERS,
}
