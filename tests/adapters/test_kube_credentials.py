"""A cluster's credential that ends in mid-run, or a certificate that is not the cluster's."""

import contextlib

import pytest
import yaml

from azrunbook import binaries, errors, kube_api, releases
from azrunbook.sandbox import tls

HOLDER = {"metadata": {"name": "person", "namespace": "default"}}
ALLOWED = {
    "metadata": {"name": "person"},
    "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole",
                "name": "cluster-admin"},
    "subjects": [{"kind": "ServiceAccount", "name": "person", "namespace": "default"}],
}  # fmt: skip


class Tokens:
    """Writes a kubeconfig with a token of a service account, as often as it is asked."""

    def __init__(self, kube_cluster):
        self._kube = kube_cluster
        self.renewed = 0
        registry, resources = kube_cluster.cluster.registry, kube_cluster.cluster.registry.resources
        self._account = kube_cluster.call(
            registry.create, resources.get("", "serviceaccounts"), "default", HOLDER
        )
        bindings = resources.get("rbac.authorization.k8s.io", "clusterrolebindings")
        kube_cluster.call(registry.create, bindings, None, ALLOWED)

    def write(self, *, seconds):
        token = self._kube.call(
            self._kube.cluster._authenticator.issue_token,
            self._account, seconds=seconds, audiences=(), bound=None,
        )  # fmt: skip
        config = yaml.safe_load(self._kube.kubeconfig.read_text())
        config["users"][0]["user"] = {"token": token}
        self._kube.kubeconfig.write_text(yaml.safe_dump(config))

    def renew(self):
        self.renewed += 1
        self.write(seconds=600)


@pytest.fixture
def tokens(kube_cluster):
    return Tokens(kube_cluster)


@contextlib.contextmanager
def connected(kube_cluster, renew=None):
    api = kube_api.KubeApi(kube_cluster.kubeconfig, kube_cluster.context, renew=renew)
    with contextlib.closing(api):
        yield api


def test_an_expired_token_is_fetched_again_once(kube_cluster, tokens):
    """The request that met it is answered, and so are the ones after it."""
    tokens.write(seconds=-1)
    with connected(kube_cluster, tokens.renew) as api:
        for _ in range(2):
            assert api.get("namespaces", "/api/v1/namespaces")["items"]
    assert tokens.renewed == 1


def test_a_token_that_somebody_else_renewed_is_read_again(kube_cluster, tokens):
    """Without a way to fetch one, the file is looked at; unchanged, the refusal says what to do."""
    tokens.write(seconds=-1)
    with connected(kube_cluster) as api:
        with pytest.raises(errors.ConnectError, match=r"401 .*az aks get-credentials"):
            api.get("namespaces", "/api/v1/namespaces")
        tokens.write(seconds=600)
        assert api.get("namespaces", "/api/v1/namespaces")["items"]


def test_helm_is_started_again_with_a_new_token(kube_cluster, tokens):
    """It refuses before it does anything, so nothing is done twice."""
    tokens.write(seconds=-1)
    helm = releases.Releases(
        kube_cluster.kubeconfig, kube_cluster.context, binaries.require("helm").path,
        renew=tokens.renew,
    )  # fmt: skip
    assert helm.list("default") == ()
    tokens.write(seconds=-1)
    with pytest.raises(errors.CommandError, match="not found"):
        helm.list_objects("none", "default")
    assert tokens.renewed == 2


def test_what_a_role_does_not_allow_is_no_matter_of_the_credential(kube_cluster, tokens):
    """It is not fetched again, and the error asks for the role."""
    tokens.write(seconds=600)
    bindings = kube_cluster.cluster.registry.resources.get(
        "rbac.authorization.k8s.io", "clusterrolebindings"
    )
    kube_cluster.call(kube_cluster.cluster.registry.delete, bindings, None, "person")
    with (
        connected(kube_cluster, tokens.renew) as api,
        pytest.raises(errors.ConnectError, match=r"403 .*cannot list.*Expected a role"),
    ):
        api.get("namespaces", "/api/v1/namespaces")
    assert tokens.renewed == 0


def test_another_authority_is_told_from_a_cluster_that_is_stopped(kube_cluster):
    """The error names the address, what is presented there and what was expected."""
    config = yaml.safe_load(kube_cluster.kubeconfig.read_text())
    right = config["clusters"][0]["cluster"].copy()
    other = tls.Authority().certificate_pem
    path = kube_cluster.kubeconfig.with_name("other.pem")
    path.write_bytes(other)
    config["clusters"][0]["cluster"] = {
        "server": right["server"], "certificate-authority": str(path)
    }  # fmt: skip
    kube_cluster.kubeconfig.write_text(yaml.safe_dump(config))
    said = (
        rf"namespaces in east: {right['server'].removeprefix('https://')} does not prove to be "
        r"127\.0\.0\.1: .*certificate for .*127\.0\.0\.1.*azrunbook sandbox.*expected one for "
        r"127\.0\.0\.1 that is valid now"
    )
    with connected(kube_cluster) as api, pytest.raises(errors.ConnectError, match=said):
        api.get("namespaces", "/api/v1/namespaces")
