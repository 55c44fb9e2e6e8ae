"""What limit ranges fill in, and what they refuse."""

import pytest

LIMITS = [
    {
        "type": "Container",
        "min": {"cpu": "100m"},
        "max": {"cpu": "1"},
        "default": {"cpu": "500m", "memory": "128Mi"},
    },
    {"type": "Pod", "max": {"memory": "200Mi"}},
    {"type": "PersistentVolumeClaim", "max": {"storage": "1Gi"}},
]


def pod(*containers):
    named = [
        {"name": f"c{index}", "image": "i:1", "resources": resources}
        for index, resources in enumerate(containers)
    ]
    return {"spec": {"containers": named}}


@pytest.fixture
def limited(refusals):
    refusals.create("limitranges", {"spec": {"limits": LIMITS}})
    return refusals


def test_what_a_container_does_not_say_is_filled_in(limited):
    """And an annotation says what was."""
    made = limited.create("pods", pod({}))
    assert made["spec"]["containers"][0]["resources"] == {
        "limits": {"cpu": "500m", "memory": "128Mi"},
        "requests": {"cpu": "100m", "memory": "128Mi"},
    }
    assert made["metadata"]["annotations"]["kubernetes.io/limit-ranger"] == (
        "LimitRanger plugin set: cpu, memory request for container c0; "
        "cpu, memory limit for container c0"
    )


@pytest.mark.parametrize(
    ("storage", "body", "said"),
    [
        (
            "pods",
            pod({"requests": {"cpu": "50m"}}),
            "minimum cpu usage per Container is 100m, but request is 50m",
        ),
        (
            "pods",
            pod({"limits": {"cpu": "2"}}, {}),
            (
                "[maximum cpu usage per Container is 1, but limit is 2, "
                "maximum memory usage per Pod is 200Mi, but limit is 256Mi]"
            ),
        ),
        (
            "persistentvolumeclaims",
            {
                "spec": {
                    "accessModes": ["ReadWriteOnce"],
                    "resources": {"requests": {"storage": "2Gi"}},
                }
            },
            "maximum storage usage per PersistentVolumeClaim is 1Gi, but request is 2Gi",
        ),
    ],
)
def test_what_is_over_a_limit_is_refused(limited, storage, body, said):
    """With everything that is over, in the words of the real server."""
    assert limited.of_create(storage, body) == [f'{storage} "x" is forbidden: {said}']
