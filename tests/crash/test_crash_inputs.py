"""What commands print as data, and wrong input that must start nothing: no sandbox, no record."""

import pytest

RUN, DRILL = ("run", "01_provision_estate"), ("run", "06_fail_over_region")
FIELDS = {"action", "type", "name", "region", "properties"}


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ((*RUN, "05_nothing"), "no notebook '05_nothing'"),
        ((*RUN, "-p", "env=moon"), "expected one of dv, staging, prod"),
        ((*RUN, "-p", "client_secret=x"), "names a secret"),
        ((*RUN, "-p", "target=nowhere.json"), "no target 'nowhere.json'"),
        ((*RUN, "--target", "azure"), "AZURE_SUBSCRIPTION_ID is not set"),
        ((*DRILL, "-p", "rate_per_second=500"), "expected at most 200"),
        ((*DRILL, "-p", "rate_per_second=20.5"), "expected a whole number"),
        ((*DRILL, "-p", "region=third"), "one of primary, secondary"),
        (("run",), "NOTEBOOK"),
        (("plan", "--env", "moon"), "no environment 'moon'"),
    ],
    ids=lambda value: " ".join(value[1:]) if isinstance(value, tuple) else "",
)
def test_wrong_input_starts_nothing(shell, arguments, said):
    """Exit 2, a message that says what was expected, no report and no sandbox."""
    done = shell.run(*arguments)
    assert (done.code, done.output) == (2, "")
    assert said in " ".join(done.said.split())
    assert not shell.reports.exists()
    assert not shell.home.exists()


def test_a_plan_is_data_and_leaves_no_sandbox(shell):
    """``plan --json`` prints hash and changes; the sandbox it needed is gone; no report."""
    done = shell.run("plan", "--env", "dv", "--json")
    assert done.code == 0, done.said
    found = done.json()
    assert len(found["hash"]) == 64
    assert all(change.keys() >= FIELDS for change in found["changes"])
    assert {change["action"] for change in found["changes"]} == {"create"}
    types = {change["type"] for change in found["changes"]}
    assert types >= {"Microsoft.ContainerService/managedClusters", "Microsoft.Cdn/profiles"}
    assert not shell.reports.exists()
    shell.wait_until_alone(sandbox=True)


def test_a_sandbox_goes_up_once_and_down_once(shell):
    """Up twice is one sandbox, with the figures that status promises; down twice is fine."""
    first = shell.run("sandbox", "up", "--json").json()
    again = shell.run("sandbox", "up", "--json").json()
    assert (first["running"], again["pid"]) == (True, first["pid"])
    found = shell.run("sandbox", "status", "--json")
    assert found.code == 0
    assert found.json().keys() >= {"pid", "ready_seconds", "endpoints", "clusters", "memory_bytes"}
    assert [shell.run("sandbox", "down").code for _ in range(2)] == [0, 0]
    shell.wait_until_alone(sandbox=True)


def test_what_needs_a_sandbox_says_how_to_get_one(shell):
    """Kubeconfig and logs of a sandbox that is not there: exit 1, and what to do."""
    kubeconfig, logs = shell.run("sandbox", "kubeconfig"), shell.run("sandbox", "logs")
    assert (kubeconfig.code, kubeconfig.output, logs.code, logs.output) == (1, "", 1, "")
    assert "azrunbook sandbox up" in kubeconfig.said
    assert "no sandbox was started here" in logs.said


def test_the_doctor_says_how_to_get_what_a_bare_machine_lacks(shell):
    """Nothing on PATH, an empty cache: helm is missing and has a way; the wheels' tools stay."""
    empty = str(shell.root / "empty")
    done = shell.run("doctor", "--json", PATH=empty, XDG_CACHE_HOME=empty)
    found = {one["name"]: one for one in done.json()}
    assert (done.code, found["helm"]["state"], found["helm"]["where"]) == (
        1,
        "missing",
        "not found",
    )
    assert "azrunbook doctor --install" in found["helm"]["advice"]
    assert found["terraform"]["state"] == "optional"
    assert found["traefik"]["where"].endswith("(interpreter)")
