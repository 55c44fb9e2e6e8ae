"""The regions of the emulated cloud, with display names and pairs. Data and two checks.

Pairs as Azure has them: East US pairs with West US, not with West US 2.
"""

from azrunbook.sandbox.arm import errors, paths

# name: (display name, paired region)
LOCATIONS: dict[str, tuple[str, str]] = {
    "centralus": ("Central US", "eastus2"),
    "eastus": ("East US", "westus"),
    "eastus2": ("East US 2", "centralus"),
    "francecentral": ("France Central", "francesouth"),
    "germanywestcentral": ("Germany West Central", "germanynorth"),
    "japaneast": ("Japan East", "japanwest"),
    "northcentralus": ("North Central US", "southcentralus"),
    "northeurope": ("North Europe", "westeurope"),
    "southcentralus": ("South Central US", "northcentralus"),
    "southeastasia": ("Southeast Asia", "eastasia"),
    "swedencentral": ("Sweden Central", "swedensouth"),
    "switzerlandnorth": ("Switzerland North", "switzerlandwest"),
    "uksouth": ("UK South", "ukwest"),
    "westcentralus": ("West Central US", "westus2"),
    "westeurope": ("West Europe", "northeurope"),
    "westus": ("West US", "eastus"),
    "westus2": ("West US 2", "westcentralus"),
    "westus3": ("West US 3", "eastus"),
}
GLOBAL = "global"


def normalize(name: str) -> str:
    """Return ``eastus`` for ``East US``."""
    return name.replace(" ", "").lower()


def check(name: str, resource: paths.ResourceId) -> str:
    """Return the normalized name of a region that exists, or ``global``.

    Raises:
        errors.ArmError: 400 LocationNotAvailableForResourceType with the regions there are.
    """
    wanted = normalize(name)
    if wanted not in LOCATIONS and wanted != GLOBAL:
        raise errors.bad_request(
            f"The provided location '{name}' is not available for resource type "
            f"'{resource.type}'. List of available regions for the resource type is "
            f"'{','.join(LOCATIONS)}'.",
            code="LocationNotAvailableForResourceType",
        )
    return wanted
