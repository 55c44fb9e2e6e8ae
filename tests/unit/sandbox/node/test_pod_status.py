"""The kubelet's arithmetic: from containers to a pod."""

import datetime as dt

import pytest

from azrunbook.sandbox.node import (
    backoff,
    config,
    endpoints,
    probes,
    recovery,
    registration,
    statuses,
)

AT = dt.datetime(2026, 1, 2, 3, 4, 5, tzinfo=dt.UTC)


def ended(code):
    return statuses.terminated(exit_code=code, reason="x", container_id="c", started_at=None, at=AT)


def make(state, kind="main", **rest):
    return statuses.ContainerRecord("c", "i", kind, state=state, **rest)


RUNNING = statuses.running(AT)
WAITING = statuses.waiting("ContainerCreating")


@pytest.mark.parametrize(
    ("states", "policy", "phase"),
    [
        ([WAITING], "Always", "Pending"),
        ([RUNNING, WAITING], "Always", "Pending"),
        ([RUNNING], "Always", "Running"),
        ([RUNNING, ended(0)], "Never", "Running"),
        ([ended(0)], "Always", "Running"),
        ([ended(0)], "OnFailure", "Succeeded"),
        ([ended(1)], "OnFailure", "Running"),
        ([ended(0), ended(1)], "Never", "Failed"),
        ([ended(0), ended(0)], "Never", "Succeeded"),
    ],
)
def test_the_phase_follows_states_and_policy(states, policy, phase):
    """As kubelet's getPhase."""
    records = [make(state) for state in states]
    assert statuses.compute_phase(records, policy, is_initialized=True) == phase


def test_a_failed_init_container_fails_a_pod_that_never_restarts():
    """Other policies keep it pending."""
    records = [make(ended(1), "init"), make(WAITING)]
    assert statuses.compute_phase(records, "Never", is_initialized=False) == "Failed"
    assert statuses.compute_phase(records, "Always", is_initialized=False) == "Pending"


def read_conditions(records, **rest):
    facts = {"phase": "Running", "is_initialized": True, "has_sandbox": True, "gates": {}, **rest}
    return {c["type"]: c for c in statuses.compute_conditions(records, **facts)}


def test_a_pod_is_ready_when_every_container_is():
    """And names those that are not."""
    both = [make(RUNNING, is_ready=True), make(RUNNING)]
    assert read_conditions(both)["Ready"]["status"] == "False"
    assert "[c]" in read_conditions(both)["Ready"]["message"]
    assert read_conditions(both[:1])["Ready"]["status"] == "True"


def test_a_readiness_gate_holds_ready_but_not_containers_ready():
    """The gate's own condition decides."""
    conditions = read_conditions([make(RUNNING, is_ready=True)], gates={"example/gate": False})
    assert conditions["ContainersReady"]["status"] == "True"
    assert conditions["Ready"]["reason"] == "ReadinessGatesNotReady"


def test_an_unchanged_condition_keeps_its_instant():
    """Only a change of status is a transition."""
    known = [{"type": "Ready", "status": "True", "lastTransitionTime": "2020-01-01T00:00:00Z"}]
    same = statuses.stamp_conditions([{"type": "Ready", "status": "True"}], known, AT)
    other = statuses.stamp_conditions([{"type": "Ready", "status": "False"}], known, AT)
    assert same[0]["lastTransitionTime"] == "2020-01-01T00:00:00Z"
    assert other[0]["lastTransitionTime"] == "2026-01-02T03:04:05Z"


def test_a_container_of_an_earlier_life_counts_as_ended():
    """255, Unknown, one restart more."""
    before = {"name": "c", "containerID": "x", "restartCount": 2, "state": RUNNING}
    pod = {
        "spec": {"containers": [{"name": "c", "image": "i"}]},
        "status": {"containerStatuses": [before]},
    }
    record = recovery.recall_records(pod)["c"]
    assert record.restart_count == 3
    assert record.last_state["terminated"]["exitCode"] == 255


def test_restart_delays_double_up_to_a_limit_and_are_forgotten():
    """0, 10, 20 … 300, and 0 again after a long run."""
    delays = backoff.RestartDelays(config.BackOff())
    assert [delays.next_seconds(1) for _ in range(8)] == [0, 10, 20, 40, 80, 160, 300, 300]
    assert delays.next_seconds(600) == 0
    assert delays.next_seconds(1) == 10


@pytest.mark.parametrize(
    ("results", "verdicts"),
    [
        ("ssf", [None, True, None]),
        ("fffs", [None, None, False, None]),
        ("ffsfff", [None, None, None, None, None, False]),
    ],
)
def test_a_probe_counts_results_in_a_row(results, verdicts):
    """Two successes or three failures without interruption."""
    streak = probes.Streak(probes.read_timing({"successThreshold": 2}))
    assert [streak.add(is_success=result == "s") for result in results] == verdicts


@pytest.mark.parametrize(
    ("text", "value"), [("250m", 0.25), ("1Gi", 1024**3), ("2", 2), ("128974848", 128974848)]
)
def test_quantities_are_read(text, value):
    """Binary, decimal and milli suffixes."""
    assert registration.parse_quantity(text) == value


@pytest.mark.parametrize(
    ("conditions", "is_ready"),
    [
        ({}, True),
        ({"ready": True}, True),
        ({"ready": False}, False),
        ({"ready": True, "terminating": True}, False),
        ({"ready": False, "serving": True, "terminating": True}, False),
    ],
)
def test_only_ready_endpoints_get_connections(conditions, is_ready):
    """Terminating ones never do."""
    assert endpoints.is_ready({"conditions": conditions}) is is_ready


def test_a_service_without_ready_endpoints_has_no_listener():
    """Both addresses lead to the ready pods, and to nothing without them."""
    service = {
        "metadata": {"namespace": "n", "name": "s"},
        "spec": {"clusterIP": "127.9.2.1", "ports": [{"port": 80, "name": "web"}]},
        "status": {"loadBalancer": {"ingress": [{"ip": "127.9.1.1"}]}},
    }
    slice_ = {
        "metadata": {"namespace": "n", "labels": {"kubernetes.io/service-name": "s"}},
        "addressType": "IPv4",
        "ports": [{"name": "web", "port": 8000}],
        "endpoints": [{"addresses": ["127.9.10.2"], "conditions": {"ready": True}}],
    }
    plan = endpoints.plan_listeners([service], [slice_])
    assert plan == {(ip, 80): (("127.9.10.2", 8000),) for ip in ("127.9.2.1", "127.9.1.1")}
    assert endpoints.plan_listeners([service], []) == {}
