"""The Kubernetes versions the emulated AKS offers, and the rules of choosing and upgrading. Pure.

State of November 2026: 1.34 to 1.36 in standard support; 1.32 and 1.33 only with long-term support
(tier Premium and plan AKSLongTermSupport). Source: AKS supported versions page, August 2026.
"""

from typing import Any

from azrunbook.sandbox.arm import errors

Json = dict[str, Any]

OFFICIAL = "KubernetesOfficial"
LONG_TERM = "AKSLongTermSupport"
DEFAULT = "1.36"

# minor: (newest patch, plans)
VERSIONS: dict[str, tuple[str, tuple[str, ...]]] = {
    "1.32": ("1.32.11", (LONG_TERM,)),
    "1.33": ("1.33.13", (LONG_TERM,)),
    "1.34": ("1.34.9", (OFFICIAL, LONG_TERM)),
    "1.35": ("1.35.6", (OFFICIAL, LONG_TERM)),
    "1.36": ("1.36.2", (OFFICIAL, LONG_TERM)),
}
_MAX_SKEW = 3


def minor_of(version: str) -> str:
    """Return ``1.36`` for ``1.36.2``."""
    return ".".join(version.split(".")[:2])


def resolve(version: str, *, code: str = "K8sVersionNotSupported") -> str:
    """Return the patch version for a minor or patch version.

    Raises:
        errors.AksError: 400 for a version that is not offered.
    """
    patch, _ = VERSIONS.get(minor_of(version), ("", ()))
    if not patch or version not in {minor_of(version), patch}:
        raise errors.AksError(
            400,
            code,
            f"Version {version} is not supported in this region. Please use [az aks get-versions] "
            "command to get the supported version list in this region. For more information, "
            "please check https://aka.ms/supported-version-list",
        )
    return patch


def check_support(cluster: str, version: str, *, tier: str, plan: str) -> None:
    """Check that tier and support plan allow the version.

    Raises:
        errors.AksError: 400, a long-term version without long-term support, or the plan without
            the tier it needs.
    """
    patch = resolve(version)
    if plan == LONG_TERM and tier != "Premium":
        raise errors.AksError(
            400,
            "BadRequest",
            f"Managed cluster {cluster} has support plan {LONG_TERM}, which requires the Premium "
            f"tier; its tier is {tier}.",
        )
    if plan not in VERSIONS[minor_of(version)][1]:
        raise errors.AksError(
            400,
            "K8sVersionNotSupported",
            f"Managed cluster {cluster} is on version {patch}, which is only available for "
            "Long-Term Support (LTS). If you intend to onboard to LTS, please ensure the cluster "
            "is in Premium tier and LTS support plan. If not, please use [az aks get-versions] "
            "command to get the supported version list in this region. For more information, "
            "please check https://aka.ms/supported-version-list",
        )


def list_upgrades(version: str) -> list[str]:
    """Return the patch versions a control plane can go to: one minor at a time."""
    major, minor = minor_of(version).split(".")
    following = f"{major}.{int(minor) + 1}"
    return [VERSIONS[following][0]] if following in VERSIONS else []


def check_upgrade(before: str, wanted: str) -> None:
    """Check a control plane's way from one version to another.

    Raises:
        errors.AksError: 400 for a downgrade or a skipped minor.
    """
    target = resolve(wanted)
    allowed = [resolve(minor_of(before)), before, *list_upgrades(before)]
    if target not in allowed:
        raise errors.AksError(
            400,
            "OperationNotAllowed",
            f"Upgrading Kubernetes version {before} to {target} is not allowed. Available "
            f"upgrades: [{' '.join(list_upgrades(before))}]. Please see "
            "https://aka.ms/aks-supported-k8s-ver for version details.",
        )


def check_skew(pool: str, control_plane: str) -> None:
    """Check a pool's version against the control plane's.

    Raises:
        errors.AksError: 400, newer than the control plane or more than three minors older.
    """
    node = int(minor_of(pool).split(".")[1])
    server = int(minor_of(control_plane).split(".")[1])
    if not server - _MAX_SKEW <= node <= server:
        raise errors.AksError(
            400,
            "NodePoolMcVersionIncompatible",
            f"Node pool version {pool} and control plane version {control_plane} are "
            "incompatible. Minor version of node pool version cannot be bigger than control "
            f"plane version. It can be at most {_MAX_SKEW} versions less.",
        )


def list_versions() -> Json:
    """Return the body of ``kubernetesVersions``; the key really is ``values``."""
    return {
        "values": [
            {
                "version": minor,
                "isDefault": minor == DEFAULT,
                "isPreview": False,
                "capabilities": {"supportPlan": list(plans)},
                "patchVersions": {patch: {"upgrades": list_upgrades(patch)}},
            }
            for minor, (patch, plans) in VERSIONS.items()
        ]
    }
