"""Front Door's endpoint, origins and settings through the ARM server; its prediction as a table."""

import pytest

from azrunbook import errors, estate, front_door


@pytest.mark.parametrize(
    ("interval", "samples", "good", "expected"),
    [
        (5, 4, 3, (5, 10, 10, 15)),
        (30, 4, 3, (30, 60, 60, 90)),
        (5, 4, 4, (0, 5, 15, 20)),
        (10, 1, 1, (0, 10, 0, 10)),
        (1, 10, 2, (8, 9, 1, 2)),
    ],
)
def test_detection_follows_the_number_of_samples(interval, samples, good, expected):
    """As many failed probes as the window tolerates plus one take an origin out."""
    prediction = front_door.predict_detection(
        estate.HealthProbe(path="/healthz", interval_seconds=interval),
        estate.LoadBalancing(
            sample_size=samples, successful_samples=good, additional_latency_milliseconds=50
        ),
    )
    assert expected == (
        prediction.detect_min_seconds,
        prediction.detect_max_seconds,
        prediction.restore_min_seconds,
        prediction.restore_max_seconds,
    )


def test_the_settings_in_force_are_those_of_the_estate(provisioned, dv):
    """What Azure has is read back into the same values that were declared."""
    declared = dv.front_door
    assert provisioned.front_door.get_probe_settings() == (
        declared.health_probe,
        declared.load_balancing,
    )


def test_the_endpoint_has_a_host_name(provisioned):
    """Azure decides the public name."""
    host = provisioned.front_door.get_endpoint_host()
    assert host.startswith("hello-world-dv-")
    assert host.endswith(".azurefd.net")


def test_an_origin_is_taken_out_and_put_back(provisioned):
    """Only the named origin changes; the preferred one comes first."""
    door = provisioned.front_door
    door.set_origin_state("eastus", is_enabled=False)
    assert [(o.name, o.is_enabled) for o in door.list_origins()] == [
        ("eastus", False),
        ("westus2", True),
    ]
    door.set_origin_state("eastus", is_enabled=True)
    assert all(origin.is_enabled for origin in door.list_origins())


def test_an_estate_that_is_not_there_has_no_endpoint(azure):
    """Asking before provisioning is an error that names the resource."""
    with pytest.raises(errors.NotFoundError, match="hello-world-dv"):
        azure.front_door.get_endpoint_host()
