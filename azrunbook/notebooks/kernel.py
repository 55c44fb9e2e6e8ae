"""What the process of a headless kernel runs: ipykernel, tied to the life of its runner.

A runner that is killed with SIGKILL cannot clean up. So the kernel asks the operating system to
be killed with it: a kernel that went on alone would go on changing the estate with nobody
recording the end. Imports nothing before that is arranged.
"""

import ctypes
import os
import signal
import sys

_PR_SET_PDEATHSIG = 1  # linux/prctl.h
RUNNER_VARIABLE = "AZRUNBOOK_RUNNER_PID"


def die_with_parent() -> None:
    """Ask to be killed when the runner is; where that cannot be asked, ipykernel polls instead."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != int(os.environ[RUNNER_VARIABLE]):
        sys.exit("the runner was gone before its kernel started")


def main() -> None:
    die_with_parent()
    from ipykernel import kernelapp

    kernelapp.launch_new_instance()


if __name__ == "__main__":
    main()
