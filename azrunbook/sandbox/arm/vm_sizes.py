"""Virtual machine sizes by the rule of their names: family, cores, memory. Pure.

``Standard_D4as_v5`` is letter D, 4 vCPUs, features ``as``, version 5; its quota counts in family
``standardDASv5Family``. The lists of what a region really has are not emulated.
"""

import dataclasses
import re

_NAME = re.compile(
    r"Standard_(?P<letter>[BDEF])(?P<cores>\d+)(?P<features>[a-z]*)(?:_v(?P<version>\d+))?",
    re.IGNORECASE,
)
_MEMORY_PER_CORE_GIB = {"B": 4, "D": 4, "E": 8, "F": 2}
_CORES = {1, 2, 4, 8, 16, 20, 32, 48, 64, 72, 96}
_OLD_D = {"DS2_V2": (2, 7), "DS3_V2": (4, 14), "DS4_V2": (8, 28), "DS5_V2": (16, 56)}


@dataclasses.dataclass(frozen=True)
class VmSize:
    """One size; ``family`` is the name its quota goes by."""

    name: str
    family: str
    cores: int
    memory_gib: int
    is_burstable: bool


def find(name: str) -> VmSize | None:
    """Return the size of that name, in any letter case; None for what does not exist."""
    old = _OLD_D.get(name.upper().removeprefix("STANDARD_"))
    if old:
        return VmSize(name, "standardDSv2Family", *old, is_burstable=False)
    found = _NAME.fullmatch(name)
    if found is None or int(found["cores"]) not in _CORES:
        return None
    letter, cores = found["letter"].upper(), int(found["cores"])
    version = f"v{found['version']}" if found["version"] else ""
    if not version and letter != "B":
        return None
    family = f"standard{letter}{found['features'].upper()}{version}Family"
    return VmSize(
        name, family, cores, cores * _MEMORY_PER_CORE_GIB[letter], is_burstable=letter == "B"
    )
