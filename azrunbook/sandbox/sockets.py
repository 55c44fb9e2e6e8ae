"""Unix sockets in folders of any depth. Opens folders for a moment; listens and connects nowhere.

The path of a Unix socket has 107 bytes at most, and a checkout in a deep folder has more. Linux
reaches a folder through an open descriptor of it as well, and that name is short.
"""

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path

_LONGEST_BYTES = 107


@contextlib.contextmanager
def reach(path: Path) -> Iterator[str]:
    """Give a name to bind or connect to, valid inside the block.

    Raises:
        OSError: the folder does not exist.
    """
    if len(os.fsencode(path)) <= _LONGEST_BYTES:
        yield str(path)
        return
    descriptor = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY)
    try:
        yield f"/proc/self/fd/{descriptor}/{path.name}"
    finally:
        os.close(descriptor)
