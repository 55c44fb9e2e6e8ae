"""The supervisor: children are groups, and they die with the sandbox."""

import contextlib
import os
import signal
import subprocess
import sys
import textwrap
import time
from pathlib import Path

import psutil
import pytest

from azrunbook.sandbox import processes

ENV = {"PATH": os.defpath}
TREE = """
import subprocess, sys, time
child = subprocess.Popen(["sleep", "300"])
stray = subprocess.Popen(["sleep", "300"], start_new_session=True)
print(child.pid, stray.pid, flush=True)
time.sleep(300)
"""


def is_alive(pid):
    with contextlib.suppress(psutil.NoSuchProcess):
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    return False


def wait_until_gone(pids, seconds=5.0):
    deadline = time.monotonic() + seconds
    while any(map(is_alive, pids)) and time.monotonic() < deadline:
        time.sleep(0.02)
    return [pid for pid in pids if is_alive(pid)]


@pytest.fixture
async def supervisor():
    started = processes.Supervisor()
    await started.start()
    yield started
    await started.stop()


@pytest.mark.parametrize(
    ("script", "code"), [("exit 0", 0), ("exit 7", 7), ("kill -TERM $$", -signal.SIGTERM)]
)
async def test_exit_codes_and_signals_are_told_apart(supervisor, script, code):
    """The code is the exit status, or the negated signal."""
    child = await supervisor.spawn(["sh", "-c", script], env=ENV)
    assert await child.wait() == code
    assert supervisor.list_children() == []


async def test_terminate_reaches_the_whole_group(supervisor, tmp_path, until):
    """A grandchild gets the signal too."""
    out = (tmp_path / "out").open("wb+")
    child = await supervisor.spawn(["sh", "-c", "sleep 300 & echo $!; wait"], env=ENV, stdout=out)
    await until((tmp_path / "out").read_text)
    child.terminate()
    assert await child.wait() == -signal.SIGTERM
    assert wait_until_gone([int((tmp_path / "out").read_text())]) == []
    out.close()


async def test_a_child_sees_only_the_environment_it_was_given(supervisor, tmp_path, monkeypatch):
    """The sandbox's own environment is not inherited, and stdin is empty."""
    monkeypatch.setenv("SECRET_OF_THE_SANDBOX", "x")
    with (tmp_path / "out").open("wb") as out:
        child = await supervisor.spawn(
            ["sh", "-c", "env; cat; ls /proc/self/fd | wc -l"], env={**ENV, "A": "1"}, stdout=out
        )
        await child.wait()
    text = (tmp_path / "out").read_text()
    assert "A=1" in text
    assert "SECRET_OF_THE_SANDBOX" not in text
    assert int(text.splitlines()[-1]) <= 4


async def test_a_program_that_is_missing_is_an_os_error(supervisor):
    """Nothing is registered for a program that never started."""
    with pytest.raises(FileNotFoundError):
        await supervisor.spawn(["no-such-program"], env=ENV)
    assert supervisor.list_children() == []


async def test_children_survive_the_loss_of_the_reaper(supervisor):
    """A killed reaper is replaced at the next start, and knows the older children."""
    first = await supervisor.spawn(["sleep", "300"], env=ENV)
    os.kill(supervisor._reaper.pid, signal.SIGKILL)
    supervisor._reaper.wait()
    second = await supervisor.spawn(["sleep", "300"], env=ENV)
    await supervisor.stop()
    assert wait_until_gone([first.pid, second.pid]) == []


@pytest.mark.parametrize("end", [signal.SIGKILL, signal.SIGTERM])
def test_nothing_survives_the_death_of_the_sandbox(tmp_path, end):
    """After kill -9 of the supervising process its children, also strays, are gone."""
    script = tmp_path / "host.py"
    script.write_text(
        textwrap.dedent(f"""
        import asyncio, sys
        from azrunbook.sandbox import processes
        async def main():
            supervisor = processes.Supervisor()
            await supervisor.start()
            child = await supervisor.spawn([sys.executable, "-c", {TREE!r}],
                                           env={{"PATH": "/usr/bin:/bin"}}, stdout=sys.stdout)
            print(child.pid, supervisor._reaper.pid, flush=True)
            await child.wait()
        asyncio.run(main())
    """)
    )
    source = Path(processes.__file__).parents[2]
    host = subprocess.Popen(
        [sys.executable, script], stdout=subprocess.PIPE, env={"PYTHONPATH": str(source)}
    )
    pids = [int(word) for _ in range(2) for word in host.stdout.readline().split()]
    assert len(pids) == 4
    assert all(map(is_alive, pids))
    host.send_signal(end)
    host.wait()
    host.stdout.close()
    assert wait_until_gone(pids) == []
