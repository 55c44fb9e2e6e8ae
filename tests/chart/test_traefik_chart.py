"""The sandbox's Traefik chart, by what `helm template` makes of it."""

import pathlib
import subprocess

import kubernetes_validate
import pytest
import yaml

from azrunbook import binaries, estate

ROOT = pathlib.Path(__file__).parents[2]
CHART = ROOT / "azrunbook" / "sandbox" / "charts" / "traefik"
BASE = ROOT / "kubernetes-config" / "helm-charts" / "traefik" / "values.yaml"
GRACE = "transport.lifeCycle.requestAcceptGraceTimeout"


def template(*settings, base=False):
    """Run `helm template` with `--set` expressions, upon the estate's base values if asked."""
    command = [binaries.require("helm").path, "template", "traefik", CHART, "-n", "ingress"]
    command += ["--values", BASE] if base else []
    for setting in settings:
        command += ["--set", setting]
    return subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)


def render(*settings, base=False):
    """The objects by kind."""
    done = template(*settings, base=base)
    assert done.returncode == 0, done.stderr
    return {one["kind"]: one for one in yaml.safe_load_all(done.stdout) if one}


def pod(objects):
    return objects["Deployment"]["spec"]["template"]["spec"]


def arguments(objects):
    return pod(objects)["containers"][0]["args"]


@pytest.mark.parametrize("base", [False, True])
def test_it_should_render_valid_objects(base):
    """Every object fits the Kubernetes API, with the chart's values and with the estate's."""
    objects = render(base=base)
    for one in objects.values():
        kubernetes_validate.validate(one, "1.36", strict=True)
    assert set(objects) >= {"Deployment", "Service", "IngressClass", "ServiceAccount"}


def test_it_should_start_traefik_as_the_official_chart_does():
    """Entry points, ping, metrics, the ingress provider and the published Service."""
    assert set(arguments(render())) >= {
        "--entryPoints.web.address=:8000/tcp",
        "--entryPoints.websecure.address=:8443/tcp",
        "--entryPoints.traefik.address=:8080/tcp",
        "--entryPoints.metrics.address=:9100/tcp",
        "--entryPoints.websecure.http.tls=true",
        "--ping=true",
        "--metrics.prometheus.entrypoint=metrics",
        "--providers.kubernetesingress",
        "--providers.kubernetesingress.ingressendpoint.publishedservice=ingress/traefik",
        "--log.level=INFO",
    }


def test_it_should_ask_nothing_of_the_world_outside():
    """No version check and no usage report leave the sandbox."""
    given = arguments(render())
    assert "--global.checkNewVersion=false" in given
    assert not [one for one in given if "sendAnonymousUsage" in one]


@pytest.mark.parametrize("base", [False, True])
def test_it_should_drain_before_it_stops(base):
    """Every entry point with traffic or probes goes on accepting after SIGTERM."""
    objects = render(base=base)
    for name in ("web", "websecure", "traefik"):
        assert f"--entryPoints.{name}.{GRACE}=5s" in arguments(objects)
    assert pod(objects)["terminationGracePeriodSeconds"] == 60


@pytest.mark.parametrize("base", [False, True])
def test_it_should_update_without_losing_a_replica(base):
    """A new pod is ready before an old one goes."""
    strategy = render(base=base)["Deployment"]["spec"]["strategy"]
    assert strategy["rollingUpdate"] == {"maxUnavailable": 0, "maxSurge": 1}


def test_it_should_be_probed_at_ping():
    """Readiness and liveness ask the traefik entry point."""
    container = pod(render())["containers"][0]
    for probe in ("readinessProbe", "livenessProbe"):
        assert container[probe]["httpGet"] == {"path": "/ping", "port": 8080, "scheme": "HTTP"}


def test_it_should_expose_web_and_websecure_only():
    """80 and 443 lead to the named ports; probes and metrics stay inside."""
    ports = render()["Service"]["spec"]["ports"]
    assert [(one["port"], one["targetPort"]) for one in ports] == [(80, "web"), (443, "websecure")]


def test_it_should_take_the_version_from_the_tag_or_the_chart():
    """`image.tag` decides; empty means the chart's appVersion."""
    assert pod(render())["containers"][0]["image"] == "docker.io/traefik:v3.7.15"
    tagged = render("image.tag=v3.6.0", "image.registry=azrunbook.azurecr.io")
    assert pod(tagged)["containers"][0]["image"] == "azrunbook.azurecr.io/traefik:v3.6.0"


@pytest.mark.parametrize("environment", estate.ENVIRONMENTS)
def test_it_should_follow_what_each_environment_says(environment):
    """The WHAT of kubernetes-config, as values of the chart."""
    what = estate.load_ingress(environment, ROOT)
    objects = render(
        f"deployment.replicas={what.replicas}",
        f"service.spec.type={what.service_type}",
        f"image.tag={what.image_tag}",
        f"resources.requests.cpu={what.resources.cpu_request}",
        f"resources.limits.memory={what.resources.memory_limit}",
        f"log.level={what.log_level}",
        base=True,
    )
    assert objects["Deployment"]["spec"]["replicas"] == what.replicas
    assert objects["Service"]["spec"]["type"] == what.service_type
    assert f"--log.level={what.log_level}" in arguments(objects)
    assert pod(objects)["containers"][0]["resources"]["limits"]["memory"] == "512Mi"


def test_it_should_pass_the_dns_label_to_the_service():
    """The annotation by which Azure names the public address."""
    key = "service.beta.kubernetes.io/azure-dns-label-name"
    objects = render(f"service.annotations.{key.replace('.', chr(92) + '.')}=shop")
    assert objects["Service"]["metadata"]["annotations"] == {key: "shop"}


def test_it_should_make_the_default_ingress_class():
    """Named as the estate says, marked default, with Traefik's controller."""
    made = render("ingressClass.name=edge")["IngressClass"]
    assert made["metadata"]["name"] == "edge"
    assert made["spec"]["controller"] == "traefik.io/ingress-controller"
    default = made["metadata"]["annotations"]["ingressclass.kubernetes.io/is-default-class"]
    assert default == "true"


@pytest.mark.parametrize(
    ("setting", "kinds"),
    [
        ("ingressClass.enabled=false", {"IngressClass"}),
        ("service.enabled=false", {"Service"}),
        ("rbac.enabled=false", {"ClusterRole", "ClusterRoleBinding"}),
    ],
)
def test_it_should_leave_out_what_is_disabled(setting, kinds):
    """A switch that is off takes exactly its objects away."""
    assert set(render()) - set(render(setting)) == kinds


def test_it_should_have_a_disruption_budget_when_asked():
    """Off by default; on in the estate, for the pods of this release."""
    assert "PodDisruptionBudget" not in render()
    objects = render(base=True)
    budget = objects["PodDisruptionBudget"]["spec"]
    assert budget["maxUnavailable"] == 1
    assert budget["selector"] == objects["Deployment"]["spec"]["selector"]


def test_it_should_keep_versions_out_of_the_selector():
    """A selector is immutable: an upgrade must not change it."""
    labels = render()["Deployment"]["spec"]["selector"]["matchLabels"]
    assert labels == {
        "app.kubernetes.io/name": "traefik",
        "app.kubernetes.io/instance": "traefik-ingress",
    }


def test_it_should_place_pods_as_told():
    """Node selector, tolerations, affinity and spread reach the pod; spread may be templated."""
    spec = pod(
        render(
            "nodeSelector.agentpool=cpuopt",
            "tolerations[0].operator=Exists",
            "affinity.podAntiAffinity.x=y",
            'topologySpreadConstraints[0].topologyKey=\\{\\{ include "traefik.name" . \\}\\}',
        )
    )
    assert spec["nodeSelector"] == {"agentpool": "cpuopt"}
    assert spec["tolerations"] == [{"operator": "Exists"}]
    assert "podAntiAffinity" in spec["affinity"]
    assert spec["topologySpreadConstraints"] == [{"topologyKey": "traefik"}]


def test_it_should_append_arguments_and_environment():
    """What is added comes last; the pod's own name stays in its environment."""
    objects = render("additionalArguments[0]=--api.insecure=true", "env[0].name=A,env[0].value=b")
    assert arguments(objects)[-1] == "--api.insecure=true"
    names = [one["name"] for one in pod(objects)["containers"][0]["env"]]
    assert names == ["POD_NAME", "POD_NAMESPACE", "A"]


def test_it_should_run_with_the_least_rights():
    """Not root, nothing added, nothing written but the two empty volumes."""
    spec = pod(render())
    assert spec["securityContext"]["runAsNonRoot"] is True
    assert spec["containers"][0]["securityContext"] == {
        "allowPrivilegeEscalation": False,
        "capabilities": {"drop": ["ALL"]},
        "readOnlyRootFilesystem": True,
    }


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        (
            ["providers.kubernetesCRD.enabled=true"],
            (
                "providers.kubernetesCRD.enabled: this chart brings no Traefik custom resources; "
                "set it to false and use Ingress objects"
            ),
        ),
        (
            ["podDisruptionBudget.enabled=true"],
            (
                "podDisruptionBudget: give exactly one of minAvailable and maxUnavailable, "
                "for example maxUnavailable: 1"
            ),
        ),
        (
            ["updateStrategy.rollingUpdate.maxSurge=0"],
            (
                "updateStrategy.rollingUpdate: maxSurge and maxUnavailable are both 0, "
                "so no update could ever start; set maxSurge to 1"
            ),
        ),
    ],
)
def test_it_should_refuse_what_cannot_work(settings, message):
    """A combination that would come up and not work says why."""
    done = template(*settings)
    assert done.returncode != 0
    assert message in done.stderr


@pytest.mark.parametrize(
    "setting",
    [
        "logs.general.level=INFO",  # the name before 41.0
        "service.type=ClusterIP",  # the name before 40.0
        "globalArguments[0]=--x",  # gone since 36.0
        "log.level=LOUD",
        "deployment.replicas=-1",
        "ports.web.port=0",
        "service.spec.type=Public",
        "service.spec.selector.a=b",
        "resources.requests.cpu=much",
        "additionalArguments[0]=nodashes",
    ],
)
def test_it_should_refuse_values_that_are_none_of_its_own(setting):
    """Unknown names and impossible values stop at the schema, as with the official chart."""
    done = template(setting)
    assert done.returncode != 0
    assert "specification" in done.stderr
