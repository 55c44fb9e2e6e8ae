"""The Python that containers run: the interpreter under the sandbox's environment, not in it.

Using the bare interpreter keeps the sandbox's own packages out of a container: an image that
forgot a requirement fails here too. An image asking for another minor version gets this one;
paths with ``python3.N`` in them are read as this one's.
"""

import re
import sys
from pathlib import Path

TAG = f"python{sys.version_info.major}.{sys.version_info.minor}"
INSIDE = Path(__file__).parent / "inside"

_MINOR = re.compile(r"\bpython3\.\d+\b")
_NAMES = re.compile(r"python(3(\.\d+)?)?")
_SHEBANG = re.compile(rb"^#!\s*(\S*/)?(env\s+(-S\s+)?)?(\S*/)?python[\d.]*(\s.*)?$")


def find_interpreter() -> Path:
    """Return the interpreter outside any virtual environment (conda's own has no outside)."""
    outside = Path(sys.base_prefix) / "bin" / TAG
    return outside if outside.exists() else Path(sys.executable)


def is_python(program: str) -> bool:
    """Tell whether a program's name is a Python interpreter's."""
    return _NAMES.fullmatch(program) is not None


def is_script(path: Path) -> bool:
    """Tell whether a file asks for Python in its first line."""
    try:
        with path.open("rb") as file:
            return _SHEBANG.match(file.readline(512).rstrip()) is not None
    except OSError:
        return False


def to_this_minor(path: str) -> str:
    """Read ``/usr/local/lib/python3.12/…`` as the minor version that runs here."""
    return _MINOR.sub(TAG, path)
