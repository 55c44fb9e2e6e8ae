"""What the process of a headless kernel runs: ipykernel, tied to the life of its runner.

A runner that is killed with SIGKILL cannot clean up. So the kernel asks the operating system to
be killed with it: a kernel that went on alone would go on changing the estate with nobody
recording the end. The same holds for what the kernel starts (helm, kubectl), which a shell waits
to kill. Imports nothing before that is arranged.
"""

import ctypes
import os
import signal
import subprocess
import sys

_PR_SET_PDEATHSIG = 1  # linux/prctl.h
RUNNER_VARIABLE = "AZRUNBOOK_RUNNER_PID"


def die_with_parent() -> None:
    """Ask to be killed when the runner is; where that cannot be asked, ipykernel polls instead."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != int(os.environ[RUNNER_VARIABLE]):
        sys.exit("the runner was gone before its kernel started")


def take_children_along() -> None:
    """Have this process's group killed when this process is gone, however it ends.

    A shell in a session of its own reads from a pipe whose other end only this process holds.
    """
    reader, _held_open = os.pipe()
    watcher = subprocess.Popen(  # noqa: S603 - a constant script
        ["/bin/sh", "-c", 'read -r _; kill -s KILL -- "-$1"', "sh", str(os.getpid())],
        stdin=reader,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    watcher.returncode = 0  # it outlives us: no warning about a running child
    os.close(reader)


def main() -> None:
    die_with_parent()
    take_children_along()
    from ipykernel import kernelapp

    kernelapp.launch_new_instance()


if __name__ == "__main__":
    main()
