"""The application's chart, by what `helm template` makes of it."""

import pathlib
import subprocess
import tarfile

import kubernetes_validate
import pytest
import yaml

from azrunbook import binaries

CHART = pathlib.Path(__file__).parents[2] / "app"
ENVIRONMENTS = ["dv", "staging", "prod"]


def pod_of(objects):
    return objects["Deployment"]["spec"]["template"]["spec"]


def container_of(objects):
    [container] = pod_of(objects)["containers"]
    return container


def env_of(objects):
    return {one["name"]: one for one in container_of(objects)["env"]}


def test_it_should_lint_clean(helm):
    """`helm lint --strict` finds nothing with the chart's own values."""
    done = helm("lint", "--strict", str(CHART))
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("environment", ENVIRONMENTS)
def test_it_should_lint_clean_in_every_environment(helm, environment):
    """`helm lint --strict` finds nothing with an environment's values."""
    values = CHART / f"values-{environment}.yaml"
    done = helm("lint", "--strict", str(CHART), "--values", str(values))
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("environment", ENVIRONMENTS)
def test_it_should_render_what_the_cluster_accepts(render, environment):
    """Every object is valid for Kubernetes 1.36, unknown fields refused."""
    objects = render("autoscaling.enabled=true", values=[f"values-{environment}.yaml"])
    assert {"HorizontalPodAutoscaler", "Ingress", "PodDisruptionBudget"} < objects.keys()
    for one in objects.values():
        kubernetes_validate.validate(one, "1.36", strict=True)


@pytest.mark.parametrize("environment", ENVIRONMENTS)
def test_it_should_say_its_environment(render, environment):
    """An environment's values file reaches the container, the rest of env stays."""
    env = env_of(render(values=[f"values-{environment}.yaml"]))
    assert env["ENVIRONMENT"]["value"] == environment
    assert env["APP_NAME"]["value"] == "hello-world"


def test_it_should_have_no_hook_or_cluster_wide_object(render):
    """One release is six namespaced objects at most, none of them run on the side."""
    objects = render("autoscaling.enabled=true", "ingress.enabled=true")
    assert objects.keys() == {
        "Deployment",
        "Service",
        "ServiceAccount",
        "PodDisruptionBudget",
        "HorizontalPodAutoscaler",
        "Ingress",
    }
    for one in objects.values():
        assert one["metadata"]["namespace"] == "demo"
        assert "helm.sh/hook" not in one["metadata"].get("annotations", {})


def test_it_should_name_objects_after_the_release(render):
    """Two releases in one namespace do not collide."""
    objects = render("autoscaling.enabled=true", "ingress.enabled=true")
    assert {one["metadata"]["name"] for one in objects.values()} == {"shop"}
    assert objects["HorizontalPodAutoscaler"]["spec"]["scaleTargetRef"]["name"] == "shop"


def test_it_should_run_the_image_it_was_given(render):
    """Repository and tag make the image; the tag is the version the application reports."""
    objects = render("image.repository=other.azurecr.io/app", "image.tag=1.0.1")
    assert container_of(objects)["image"] == "other.azurecr.io/app:1.0.1"
    assert env_of(objects)["APP_VERSION"]["value"] == "1.0.1"
    labels = objects["Deployment"]["spec"]["template"]["metadata"]["labels"]
    assert labels["app.kubernetes.io/version"] == "1.0.1"


def test_it_should_pin_the_digest_it_was_given(render):
    """Nodes pull by the digest; the tag stays for people, and is what the application reports."""
    digest = "sha256:" + "ab" * 32
    objects = render("image.tag=1.0.1", f"image.digest={digest}")
    wanted = f"azrunbookdv.azurecr.io/hello-world:1.0.1@{digest}"
    assert container_of(objects)["image"] == wanted
    assert env_of(objects)["APP_VERSION"]["value"] == "1.0.1"


def test_it_should_default_to_the_first_release(render):
    """Without values the chart runs version 1.0.0 of the dv registry, twice."""
    objects = render()
    assert container_of(objects)["image"] == "azrunbookdv.azurecr.io/hello-world:1.0.0"
    assert objects["Deployment"]["spec"]["replicas"] == 2


def test_it_should_cut_a_long_tag_to_a_valid_label(render):
    """A tag of 70 characters is no reason to fail."""
    objects = render("image.tag=" + "a" * 62 + ".bcdefgh")
    label = objects["Service"]["metadata"]["labels"]["app.kubernetes.io/version"]
    assert label == "a" * 62


def test_it_should_render_env_from_a_map(render):
    """Names are names and values are text, also those that YAML would read otherwise."""
    env = env_of(render("env.SWITCH=on", "env.ENVIRONMENT=dv"))
    assert env["SWITCH"] == {"name": "SWITCH", "value": "on"}
    assert env["ENVIRONMENT"]["value"] == "dv"
    assert "0" not in env


def test_it_should_take_its_database_from_a_secret_that_is_not_its_own(render):
    """With a Secret's name both addresses come out of it; without one there are none."""
    env = env_of(render("data.secretName=estate-data"))
    for name in ("DATABASE_URL", "REDIS_URL"):
        assert env[name]["valueFrom"]["secretKeyRef"] == {"name": "estate-data", "key": name}
    assert not {"DATABASE_URL", "REDIS_URL"} & env_of(render()).keys()


def test_it_should_take_place_and_address_from_the_pod(render):
    """The pod binds its own address and knows its own name."""
    env = env_of(render("region=eastus"))
    assert env["REGION"]["value"] == "eastus"
    assert env["HOST"]["valueFrom"]["fieldRef"]["fieldPath"] == "status.podIP"
    assert env["POD_NAME"]["valueFrom"]["fieldRef"]["fieldPath"] == "metadata.name"


def test_it_should_listen_where_the_service_sends(render):
    """One value sets the container's port, PORT and, by name, the Service's target."""
    objects = render("service.targetPort=9090", "service.port=80")
    assert env_of(objects)["PORT"]["value"] == "9090"
    [port] = container_of(objects)["ports"]
    assert (port["name"], port["containerPort"]) == ("http", 9090)
    [port] = objects["Service"]["spec"]["ports"]
    assert (port["port"], port["targetPort"]) == (80, "http")


def test_it_should_pass_the_drill_switches(render):
    """`faults` reaches the application as it reads it."""
    env = env_of(render("faults.unready=true", "faults.delaySeconds=1.5", "faults.errorPercent=25"))
    assert env["FAULT_UNREADY"]["value"] == "true"
    assert env["FAULT_DELAY_SECONDS"]["value"] == "1.5"
    assert env["FAULT_ERROR_PERCENT"]["value"] == "25"


def test_it_should_select_by_what_never_changes(render):
    """Version and chart are labels, and in no selector."""
    objects = render("image.tag=1.0.1")
    selector = {"app.kubernetes.io/name": "hello-world", "app.kubernetes.io/instance": "shop"}
    assert objects["Deployment"]["spec"]["selector"]["matchLabels"] == selector
    assert objects["Service"]["spec"]["selector"] == selector
    assert objects["PodDisruptionBudget"]["spec"]["selector"]["matchLabels"] == selector
    assert selector.items() < objects["Service"]["metadata"]["labels"].items()
    pod_labels = objects["Deployment"]["spec"]["template"]["metadata"]["labels"]
    assert selector.items() < pod_labels.items()
    assert "helm.sh/chart" not in pod_labels


def test_it_should_roll_without_losing_a_pod(render):
    """A new pod is ready before an old one goes."""
    spec = render()["Deployment"]["spec"]
    assert spec["strategy"] == {
        "type": "RollingUpdate",
        "rollingUpdate": {"maxUnavailable": 0, "maxSurge": 1},
    }
    assert spec["minReadySeconds"] == 2


def test_it_should_ask_the_paths_the_application_has(render):
    """Readiness asks /health; start-up and liveness ask /healthz."""
    container = container_of(render("livenessProbe.periodSeconds=20"))
    assert container["readinessProbe"]["httpGet"] == {"path": "/health", "port": "http"}
    assert container["livenessProbe"]["httpGet"] == {"path": "/healthz", "port": "http"}
    assert container["startupProbe"]["httpGet"] == {"path": "/healthz", "port": "http"}
    assert container["livenessProbe"]["periodSeconds"] == 20


def test_it_should_leave_time_to_drain(render):
    """Before SIGTERM a pause, after it the application's own drain, all within the grace."""
    objects = render("shutdown.preStopSeconds=3", "shutdown.drainSeconds=4")
    assert container_of(objects)["lifecycle"]["preStop"]["sleep"]["seconds"] == 3
    assert env_of(objects)["DRAIN_SECONDS"]["value"] == "4"
    assert env_of(objects)["GRACEFUL_SECONDS"]["value"] == "15"
    assert pod_of(objects)["terminationGracePeriodSeconds"] == 30


def test_it_should_run_restricted(render):
    """Neither root nor a way to become it, no capability, no writable root, no token."""
    objects = render()
    pod, container = pod_of(objects), container_of(objects)
    assert pod["securityContext"]["runAsNonRoot"] is True
    assert pod["securityContext"]["runAsUser"] == 1000
    assert pod["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
    assert container["securityContext"]["readOnlyRootFilesystem"] is True
    assert container["securityContext"]["allowPrivilegeEscalation"] is False
    assert container["securityContext"]["capabilities"] == {"drop": ["ALL"]}
    assert pod["automountServiceAccountToken"] is False
    assert objects["ServiceAccount"]["automountServiceAccountToken"] is False
    assert pod["serviceAccountName"] == objects["ServiceAccount"]["metadata"]["name"]


def test_it_should_have_one_writable_place(render):
    """One emptyDir, as the root filesystem is read-only."""
    objects = render()
    [volume], [mount] = pod_of(objects)["volumes"], container_of(objects)["volumeMounts"]
    assert "emptyDir" in volume
    assert (mount["name"], mount["mountPath"]) == (volume["name"], "/tmp")  # noqa: S108 - a pod's


def test_it_should_spread_over_zones_and_nodes(render):
    """Pods spread, but a lost zone does not keep new ones from starting."""
    zone, node = pod_of(render())["topologySpreadConstraints"]
    assert zone["topologyKey"] == "topology.kubernetes.io/zone"
    assert node["topologyKey"] == "kubernetes.io/hostname"
    assert {zone["whenUnsatisfiable"], node["whenUnsatisfiable"]} == {"ScheduleAnyway"}


def test_it_should_place_pods_only_where_told(render):
    """Selector, tolerations and affinity are passed on, and absent by default."""
    keys = {"nodeSelector", "tolerations", "affinity"}
    assert not keys & pod_of(render()).keys()
    pod = pod_of(
        render(
            "nodeSelector.pool=user",
            "tolerations[0].key=spot",
            "tolerations[0].operator=Exists",
            "affinity.podAntiAffinity.any=thing",
        )
    )
    assert pod["nodeSelector"] == {"pool": "user"}
    assert pod["tolerations"] == [{"key": "spot", "operator": "Exists"}]
    assert pod["affinity"] == {"podAntiAffinity": {"any": "thing"}}


def test_it_should_keep_a_disruption_budget(render):
    """By default one pod at a time may be evicted, and unready ones always."""
    spec = render()["PodDisruptionBudget"]["spec"]
    assert spec["maxUnavailable"] == 1
    assert "minAvailable" not in spec
    assert spec["unhealthyPodEvictionPolicy"] == "AlwaysAllow"


@pytest.mark.parametrize(("given", "rendered"), [("1", 1), ("50%", "50%")])
def test_it_should_take_a_budget_by_what_must_stay(render, given, rendered):
    """What must stay replaces maxUnavailable, as a number or a share."""
    spec = render(
        "podDisruptionBudget.maxUnavailable=null", f"podDisruptionBudget.minAvailable={given}"
    )["PodDisruptionBudget"]["spec"]
    assert spec["minAvailable"] == rendered
    assert "maxUnavailable" not in spec


@pytest.mark.parametrize(
    "expressions",
    [
        ["replicaCount=1"],
        ["podDisruptionBudget.enabled=false"],
        ["autoscaling.enabled=true", "autoscaling.minReplicas=1"],
    ],
)
def test_it_should_have_no_budget_for_one_pod(render, expressions):
    """A budget over one pod would only block; it can be switched off as well."""
    assert "PodDisruptionBudget" not in render(*expressions)


def test_it_should_leave_replicas_to_the_autoscaler(render):
    """With autoscaling on, an upgrade does not reset the number of pods."""
    objects = render("autoscaling.enabled=true", "autoscaling.maxReplicas=9")
    assert "replicas" not in objects["Deployment"]["spec"]
    spec = objects["HorizontalPodAutoscaler"]["spec"]
    assert (spec["minReplicas"], spec["maxReplicas"]) == (2, 9)
    assert spec["metrics"][0]["resource"]["target"]["averageUtilization"] == 70


def test_it_should_not_scale_or_route_unless_asked(render):
    """Autoscaler and Ingress are off by default."""
    assert not {"HorizontalPodAutoscaler", "Ingress"} & render().keys()


def test_it_should_route_every_host_without_a_list(render):
    """No host means a rule without one: the edge asks under its origin's name."""
    spec = render("ingress.enabled=true")["Ingress"]["spec"]
    assert spec["ingressClassName"] == "traefik"
    [rule] = spec["rules"]
    assert "host" not in rule
    [path] = rule["http"]["paths"]
    assert (path["path"], path["pathType"]) == ("/", "Prefix")
    assert path["backend"]["service"] == {"name": "shop", "port": {"name": "http"}}


def test_it_should_route_only_the_listed_hosts(render):
    """One rule per host."""
    spec = render("ingress.enabled=true", "ingress.hosts={a.example,*.b.example}")["Ingress"][
        "spec"
    ]
    assert [rule["host"] for rule in spec["rules"]] == ["a.example", "*.b.example"]
    assert all(rule["http"]["paths"] for rule in spec["rules"])


def test_it_should_annotate_where_asked(render):
    """Annotations reach the Ingress and the ServiceAccount."""
    objects = render(
        "ingress.enabled=true", "ingress.annotations.a=1x", "serviceAccount.annotations.b=2x"
    )
    assert objects["Ingress"]["metadata"]["annotations"] == {"a": "1x"}
    assert objects["ServiceAccount"]["metadata"]["annotations"] == {"b": "2x"}


def test_it_should_package_without_the_image_sources(helm, tmp_path):
    """The stored release holds the chart alone."""
    done = helm("package", str(CHART), "--destination", str(tmp_path))
    assert done.returncode == 0, done.stderr
    with tarfile.open(tmp_path / "hello-world-1.0.0.tgz") as archive:
        names = {name.removeprefix("hello-world/") for name in archive.getnames()}
    assert {"Chart.yaml", "values.yaml", "values.schema.json"} < names
    assert not {name for name in names if name.startswith(("src", "Dockerfile", "values-"))}


@pytest.mark.parametrize("version", ["3.17.2", "4.3.1"])
def test_it_should_render_alike_with_helm_3_and_4(render, version):
    """Both majors make the same objects of it."""
    path = binaries.install("helm", version).path
    values = str(CHART / "values-prod.yaml")
    text = subprocess.check_output(
        [path, "template", "shop", str(CHART), "--namespace", "demo", "--values", values], text=True
    )
    objects = {one["kind"]: one for one in yaml.safe_load_all(text)}
    assert objects == render(values=["values-prod.yaml"])
