"""Services that are refused, and what goes and stays when their type changes."""

import pytest

PORT = {"port": 80, "protocol": "TCP"}


def service(**parts):
    return {"spec": {"ports": [PORT], **parts}}


@pytest.mark.parametrize(
    ("body", "said"),
    [
        (
            service(externalTrafficPolicy="Local"),
            (
                'spec.externalTrafficPolicy: Invalid value: "Local": '
                "may only be set for externally-accessible services"
            ),
        ),
        (
            service(externalIPs=["odd"]),
            (
                'spec.externalIPs[0]: Invalid value: "odd": must be a valid IP address, '
                "(e.g. 10.9.8.7 or 2001:db8::ffff)"
            ),
        ),
        (
            service(type="LoadBalancer", loadBalancerSourceRanges=["odd"]),
            (
                'spec.loadBalancerSourceRanges[0]: Invalid value: "odd": must be a valid CIDR '
                "value, (e.g. 10.9.8.0/24 or 2001:db8::/64)"
            ),
        ),
        (
            service(ports=[{**PORT, "name": "a"}, {**PORT, "name": "b"}]),
            (
                'spec.ports[1]: Duplicate value: {"Name":"","Protocol":"TCP","AppProtocol":null,'
                '"Port":80,"TargetPort":0,"NodePort":0}'
            ),
        ),
        (
            service(ipFamilyPolicy="RequireDualStack"),
            (
                'spec.ipFamilyPolicy: Invalid value: "RequireDualStack": '
                "this cluster is not configured for dual-stack services"
            ),
        ),
    ],
)
def test_wrong_service_is_refused(refusals, body, said):
    """With the one cause that there is."""
    assert refusals.of_create("services", body) == [said]


def test_addresses_go_with_the_type_that_had_them(refusals):
    """An ExternalName has none; a ClusterIP has no node ports and no policy for outside traffic."""
    refusals.create("services", service(type="NodePort"))
    inner = refusals.change("services", {"spec": {"type": "ClusterIP"}})["spec"]
    assert not {"externalTrafficPolicy"} & set(inner)
    assert "nodePort" not in inner["ports"][0]
    outer = refusals.change("services", {"spec": {"type": "ExternalName", "externalName": "a.b"}})
    assert not {"clusterIP", "clusterIPs", "ipFamilies", "ipFamilyPolicy"} & set(outer["spec"])
