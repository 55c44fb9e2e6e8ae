"""A sandbox as a whole: ready, one per folder, and gone without a trace however it ends."""

import json
import os
import signal
import stat
import subprocess
import sys
import time
from concurrent import futures
from pathlib import Path

import psutil
import pytest

from azrunbook import errors
from azrunbook.sandbox import lifecycle


def list_alive(processes):
    return [one for one in processes if one.is_running() and one.status() != "zombie"]


def test_it_is_ready_when_start_returns(make_sandbox, subscribe, record_property):
    """The connection file is there, and what it names answers at the first request."""
    began = time.monotonic()
    home = make_sandbox(timing="seconds")
    waited = time.monotonic() - began
    seconds = lifecycle.status(home)["ready_seconds"]
    record_property("ready_seconds", seconds)
    sys.stderr.write(f"sandbox ready after {seconds} s\n")
    assert (
        -0.01 < waited - seconds < 1
    )  # rounded; the figure is what a caller waits, not a part of it
    subscription = subscribe(home)
    found = subscription.arm.get(f"/subscriptions/{subscription.id}", "2022-12-01")
    assert found["subscriptionId"] == subscription.id


def test_status_says_what_runs(make_sandbox):
    """Its pid, its memory, where its servers listen; nothing runs in another folder."""
    home = make_sandbox()
    status = lifecycle.status(home)
    assert status["running"]
    assert psutil.Process(status["pid"]).cmdline()[1:3] == ["-m", "azrunbook.sandbox"]
    assert status["memory_bytes"] > 10_000_000
    assert set(status["endpoints"]) == {"resource_manager", "front_door", "charts", "registries"}
    assert (status["clusters"], status["edge"]["origins"] or []) == ([], [])
    assert lifecycle.status(home / "elsewhere") == {"running": False}


def test_everything_listens_on_loopback_only(make_sandbox, list_family):
    """No socket of the sandbox can be reached from another machine."""
    listening = [
        one.laddr.ip
        for process in list_family(make_sandbox())
        for one in process.net_connections("inet")
        if one.status == psutil.CONN_LISTEN
    ]
    assert len(listening) >= 3
    assert {address.partition(".")[0] for address in listening} == {"127"}


def test_only_this_user_reads_its_secrets(make_sandbox):
    """The folder, the client secret and the control socket are the owner's alone."""
    folder = lifecycle.folder(make_sandbox())
    for name, mode in {".": 0o700, "client-secret": 0o600, "control.sock": 0o600}.items():
        assert stat.S_IMODE((folder / name).stat().st_mode) == mode, name


def test_a_second_one_in_the_same_folder_is_refused(make_sandbox):
    """The error names the folder and how to stop the first, which goes on."""
    home = make_sandbox()
    pid = lifecycle.status(home)["pid"]
    with pytest.raises(errors.ConnectError, match=r"running already .* azrunbook sandbox down"):
        lifecycle.start(home)
    assert lifecycle.status(home)["pid"] == pid


def test_one_that_does_not_start_says_why(tmp_path):
    """The last lines of its log are in the error, and nothing is left running."""
    with pytest.raises(errors.ConnectError, match="invalid choice: 'sometimes'"):
        lifecycle.start(tmp_path, timing="sometimes")
    assert lifecycle.status(tmp_path) == {"running": False}


def test_stopping_leaves_no_process_and_no_connection(make_sandbox, list_family):
    """Stopping again says that none was running."""
    home = make_sandbox()
    family = list_family(home)
    assert lifecycle.stop(home)
    assert list_alive(family) == []
    assert not lifecycle.connection_path(home).exists()
    assert not lifecycle.stop(home)


def test_stopping_ends_the_pods(make_sandbox, subscribe, list_family):
    """A pod's process goes with the sandbox."""
    home = make_sandbox()
    subscription = subscribe(home)
    subscription.put_cluster("eastus", role="primary")
    subscription.run_pod()
    family = list_family(home)
    assert any("traefik" in " ".join(one.cmdline()) for one in family)
    lifecycle.stop(home)
    assert list_alive(family) == []


def test_a_killed_one_leaves_no_pods_and_makes_room(
    make_sandbox, subscribe, list_family, kill, wait_for
):
    """After kill -9 nothing of it runs, and another can be started in the same folder."""
    home = make_sandbox()
    subscription = subscribe(home)
    subscription.put_cluster("eastus", role="primary")
    subscription.run_pod()
    family = list_family(home)
    kill(family[0].pid)
    wait_for(lambda: not list_alive(family), "every process of the killed sandbox is gone")
    assert lifecycle.status(home) == {"running": False}
    make_sandbox()
    assert lifecycle.status(home)["clusters"] == []


def test_it_ends_with_its_owner(make_sandbox, list_family, wait_for):
    """However the owner dies: here by kill -9."""
    command = [sys.executable, "-c", "import signal; signal.pause()"]
    with subprocess.Popen(command) as owner:
        home = make_sandbox(owner_pid=owner.pid)
        family = list_family(home)
        owner.kill()
        wait_for(lambda: not list_alive(family), "the sandbox ended with its owner")
    assert not lifecycle.connection_path(home).exists()


def test_two_starts_at_the_same_time_make_one(make_sandbox, tmp_path):
    """The second waits for the first, and is then refused as any later one."""

    def start():
        try:
            return make_sandbox()
        except errors.ConnectError as refusal:
            return str(refusal)

    with futures.ThreadPoolExecutor() as pool:
        results = [one.result() for one in [pool.submit(start), pool.submit(start)]]
    assert sorted(type(one).__name__ for one in results) == ["PosixPath", "str"]
    assert any("running already" in str(one) for one in results)
    mine = [" ".join(one.cmdline()) for one in list_alive(psutil.Process().children())]
    assert len([line for line in mine if str(tmp_path) in line]) == 1


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP])
def test_a_signal_ends_it_in_order(make_sandbox, list_family, wait_for, number):
    """As a machine that shuts down sends it, or a terminal that is closed."""
    home = make_sandbox()
    family = list_family(home)
    family[0].send_signal(number)
    wait_for(lambda: not list_alive(family), "the sandbox ended")
    assert not lifecycle.connection_path(home).exists()


def test_an_owner_that_is_gone_already_is_not_waited_for(make_sandbox, wait_for):
    """A sandbox for a dead process ends at once."""
    with subprocess.Popen([sys.executable, "-c", ""]) as owner:
        pass
    home = make_sandbox(owner_pid=owner.pid)
    wait_for(lambda: not lifecycle.is_running(home), "the sandbox of nobody ended")


def test_a_folder_deeper_than_a_socket_path_may_be(make_sandbox, monkeypatch):
    """A Unix socket's path has 107 bytes; the folder may be deeper, from wherever it is asked."""
    home = make_sandbox(f"{'deep' * 10}/{'deeper' * 10}/{'deepest' * 10}")
    assert len(str(home)) > 107
    monkeypatch.chdir("/")
    assert lifecycle.status(home)["running"]
    assert lifecycle.stop(home)


def test_a_relative_folder_is_the_same_one(make_sandbox, monkeypatch, tmp_path):
    """A home given relative to the current folder is found by its whole path."""
    monkeypatch.chdir(tmp_path)
    lifecycle.start(Path("near"), owner_pid=os.getpid(), timing="immediate")
    try:
        connection = json.loads(lifecycle.connection_path(tmp_path / "near").read_text())
        assert Path(connection["ca_bundle"]).is_absolute()
        with pytest.raises(errors.ConnectError, match="running already"):
            make_sandbox("near")
    finally:
        lifecycle.stop(Path("near"))


def test_two_at_once_do_not_meet(make_sandbox, subscribe):
    """Each has addresses, a subscription and an authority of its own; one ends, one goes on."""
    first, second = subscribe(make_sandbox("first")), subscribe(make_sandbox("second"))
    for one in (first, second):
        one.put_cluster("eastus", role="primary")
    urls = [lifecycle.status(one.home)["clusters"][0]["url"] for one in (first, second)]
    assert urls[0] != urls[1]
    with pytest.raises(errors.AzrunbookError):
        first.arm.get(f"/subscriptions/{second.id}", "2022-12-01")
    lifecycle.stop(first.home)
    assert "Ready" in second.kubectl("get", "nodes")


@pytest.mark.parametrize(
    ("fault", "said"),
    [
        ({"kind": "flood"}, "unknown kind of fault 'flood'; expected one of arm"),
        ({"kind": "arm", "pfad": "*"}, "pfad"),
        ({"kind": "arm", "path": "*", "times": 0}, "times is 0; expected 1 or more"),
        ({"kind": "node_loss", "name": "aks-nobody"}, "aks-nobody"),
        ({"kind": "node_loss"}, "name"),
    ],
)
def test_a_fault_that_makes_no_sense_is_refused(rack, fault, said):
    """The refusal says what is wrong with it."""
    with pytest.raises(errors.ConnectError, match=said):
        lifecycle.inject(rack.home, fault)


def test_faults_are_taken_back(rack):
    """After arm_clear the next request is answered as if nothing had been asked for."""
    lifecycle.inject(rack.home, {"kind": "arm", "path": "*", "status": 400, "times": 99})
    with pytest.raises(errors.StepError):
        rack.arm.get(f"/subscriptions/{rack.id}", "2022-12-01")
    lifecycle.inject(rack.home, {"kind": "arm_clear"})
    assert rack.arm.get(f"/subscriptions/{rack.id}", "2022-12-01")


def test_nothing_answers_where_no_sandbox_runs(tmp_path):
    """Asking says how to start one."""
    with pytest.raises(errors.ConnectError, match="azrunbook sandbox up"):
        lifecycle.inject(tmp_path, {"kind": "arm_clear"})
