"""Helm releases by both majors of helm, against a real API server and its controllers."""

import contextlib
import signal
import subprocess
import textwrap
import threading

import psutil
import pytest

from azrunbook import binaries, errors, releases, wait

NAMESPACE = "shop"


@pytest.fixture(scope="session", params=["4.3.1", "3.17.2"])
def helm(request):
    return binaries.install("helm", request.param).path


@pytest.fixture
def chart(tmp_path):
    """A chart with a setting, a secret, and a deployment when replicas are asked for."""
    folder = tmp_path / "chart" / "shop"
    files = {
        "Chart.yaml": "apiVersion: v2\nname: shop\nversion: 1.2.3\nappVersion: 9.9.9\n",
        "values.yaml": "colour: blue\npassword: first-secret\nreplicas: 0\n",
        "values.schema.json": '{"properties": {"replicas": {"type": "integer"}}}',
        "templates/settings.yaml": """
            apiVersion: v1
            kind: ConfigMap
            metadata: {name: settings}
            data: {colour: "{{ .Values.colour }}"}
            """,
        "templates/secret.yaml": """
            apiVersion: v1
            kind: Secret
            metadata: {name: login}
            stringData: {password: "{{ .Values.password }}"}
            """,
        "templates/web.yaml": """
            {{- if .Values.replicas }}
            apiVersion: apps/v1
            kind: Deployment
            metadata: {name: web, labels: {app.kubernetes.io/instance: "{{ .Release.Name }}"}}
            spec:
              replicas: {{ .Values.replicas }}
              selector: {matchLabels: {app: web}}
              template:
                metadata: {labels: {app: web}}
                spec: {containers: [{name: web, image: web:1}]}
            {{- end }}
            """,
    }
    for name, text in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(textwrap.dedent(text))
    return folder


@pytest.fixture
def helmed(kube_cluster, helm):
    return releases.Releases(kube_cluster.kubeconfig, kube_cluster.context, helm)


def release(helmed, chart, **values):
    return helmed.install_or_upgrade("shop", NAMESPACE, chart, values, timeout=20)


def start_and_kill(kube_cluster, helm, chart, status, helmed):
    """Start helm as another client would, and kill it once the release is pending."""
    command = [helm, "upgrade", "--install", "shop", chart, "--namespace", NAMESPACE]
    command += ["--create-namespace", "--wait", "--set", "replicas=1"]
    command += ["--kubeconfig", kube_cluster.kubeconfig, "--kube-context", kube_cluster.context]
    with subprocess.Popen(list(map(str, command)), stdout=subprocess.DEVNULL) as client:

        def look():
            found = helmed.find("shop", NAMESPACE)
            return wait.Seen(found, bool(found) and found.status == status, str(found))

        wait.wait_until(look, what=f"a release in {status}", timeout=20)
        client.kill()


def test_a_release_is_installed_upgraded_and_its_history_kept(helmed, chart):
    """Every field of the release is read back; the namespace is made."""
    assert helmed.find("shop", NAMESPACE) is None
    assert release(helmed, chart) == releases.Release(
        "shop", NAMESPACE, 1, "deployed", "shop", "1.2.3", "9.9.9"
    )
    assert release(helmed, chart, colour="red").revision == 2
    history = [(one.number, one.status) for one in helmed.list_revisions("shop", NAMESPACE)]
    assert history == [(1, "superseded"), (2, "deployed")]
    assert helmed.get_values("shop", NAMESPACE) == {"colour": "red"}


def test_nothing_secret_stands_on_a_command_line_or_in_a_log(helmed, chart, caplog):
    """Values travel by stdin, the credential stays in its file."""
    caplog.set_level("DEBUG")
    seen = []

    def watch():
        while not seen:
            for one in _find_helm():
                with contextlib.suppress(psutil.NoSuchProcess):
                    seen.extend(one.cmdline())

    watcher = threading.Thread(target=watch)
    watcher.start()
    release(helmed, chart, password="planted-secret")
    watcher.join()
    assert "--kubeconfig" in seen
    assert "planted-secret" not in f"{seen} {caplog.text}"
    assert "--kube-token" not in seen


def preview(helmed, chart, values):
    return helmed.preview(helmed.find("shop", NAMESPACE), "shop", NAMESPACE, chart, values)


def test_a_preview_of_the_same_release_shows_nothing(helmed, chart):
    """Releasing again what is deployed changes nothing."""
    release(helmed, chart, colour="red")
    assert preview(helmed, chart, {"colour": "red"}) == ()


def test_a_preview_shows_what_changes_and_hides_what_is_secret(helmed, chart):
    """A setting is shown with both values, a secret only as changed; nothing is changed."""
    release(helmed, chart)
    changes = preview(helmed, chart, {"colour": "red", "password": "second-secret"})
    assert [(one.path, one.before, one.after) for one in changes] == [
        ("ConfigMap shop/settings data colour", "blue", "red"),
        ("Secret shop/login stringData password", "(hidden)", "(hidden, another value)"),
    ]
    assert helmed.find("shop", NAMESPACE).revision == 1


def test_a_preview_of_a_first_release_shows_each_object_as_new(helmed, chart):
    """Nothing is there before: every object comes, told by a digest."""
    changes = preview(helmed, chart, {"replicas": 1})
    assert [(one.path, one.before) for one in changes] == [
        ("ConfigMap shop/settings", None),
        ("Deployment shop/web", None),
        ("Secret shop/login", None),
    ]
    assert all(one.after.startswith("sha256:") for one in changes)


def test_values_that_the_chart_refuses_are_an_error_with_helms_words(helmed, chart):
    """The chart's schema speaks; nothing is installed."""
    with pytest.raises(errors.CommandError, match="replicas"):
        release(helmed, chart, replicas="many")
    assert helmed.find("shop", NAMESPACE) is None


def test_a_rollout_that_does_not_come_about_takes_itself_back(helmed, chart):
    """No node runs the pods: the upgrade fails and the revision before is deployed again."""
    release(helmed, chart, colour="red")
    with pytest.raises(errors.CommandError, match="exited with"):
        helmed.install_or_upgrade("shop", NAMESPACE, chart, {"replicas": 1}, timeout=1)
    assert helmed.find("shop", NAMESPACE).status == "deployed"
    assert helmed.get_values("shop", NAMESPACE) == {"colour": "red"}


def test_a_release_is_rolled_back_and_uninstalled(helmed, chart):
    """A rollback is a new revision with old content; what is uninstalled may be so again."""
    release(helmed, chart, colour="red")
    release(helmed, chart, colour="green")
    assert helmed.roll_back("shop", NAMESPACE, 1, timeout=20).revision == 3
    assert helmed.get_values("shop", NAMESPACE) == {"colour": "red"}
    helmed.uninstall("shop", NAMESPACE, timeout=20)
    helmed.uninstall("shop", NAMESPACE, timeout=20)
    assert helmed.find("shop", NAMESPACE) is None


def test_an_upgrade_killed_half_way_is_rolled_back_to_what_was_deployed(
    kube_cluster, helm, helmed, chart
):
    """A kill leaves pending-upgrade; the repair makes the next upgrade possible."""
    release(helmed, chart, colour="red")
    start_and_kill(kube_cluster, helm, chart, "pending-upgrade", helmed)
    with pytest.raises(errors.CommandError, match="another operation"):
        release(helmed, chart)
    said = helmed.repair_pending("shop", NAMESPACE, patience=0)
    assert said == "shop was left in pending-upgrade (revision 2): rolled back to revision 1"
    assert release(helmed, chart, colour="green").status == "deployed"


def test_an_install_killed_half_way_is_removed(kube_cluster, helm, helmed, chart):
    """A kill leaves pending-install with nothing to go back to."""
    start_and_kill(kube_cluster, helm, chart, "pending-install", helmed)
    assert "removed" in helmed.repair_pending("shop", NAMESPACE, patience=0)
    assert helmed.repair_pending("shop", NAMESPACE) is None
    assert release(helmed, chart).revision == 1


def test_a_release_that_another_client_finishes_is_let_be(kube_cluster, helmed, chart):
    """Within its patience the repair waits, because somebody may still be at work."""
    release(helmed, chart)
    name = "sh.helm.release.v1.shop.v1"
    secrets = kube_cluster.cluster.registry.resources.get("", "secrets")

    def label(status):
        body = {"metadata": {"labels": {"status": status}}}
        kube_cluster.call(kube_cluster.cluster.registry.patch, secrets, NAMESPACE, name, body)

    label("pending-upgrade")
    later = threading.Timer(0.5, label, ["deployed"])
    later.start()
    assert helmed.repair_pending("shop", NAMESPACE, patience=10) is None
    later.join()


def test_a_cluster_that_is_gone_is_an_error_within_the_deadline(kube_cluster, helmed):
    """No hanging: helm says that nobody answers."""
    kube_cluster.run(kube_cluster.cluster.stop())
    with pytest.raises(errors.CommandError, match="refused"):
        helmed.find("shop", NAMESPACE)


def test_an_interrupted_release_stops_helm_and_can_be_repaired(helmed, chart):
    """Ctrl-C ends helm, at the latest by a kill; the release comes back to what was deployed."""
    release(helmed, chart, colour="red")

    def interrupt():
        wait.wait_until(
            lambda: wait.Seen(None, bool(_find_helm()), "no helm"), what="helm", timeout=20
        )
        signal.pthread_kill(threading.main_thread().ident, signal.SIGINT)

    watcher = threading.Thread(target=interrupt)
    watcher.start()
    with pytest.raises(KeyboardInterrupt):
        helmed.install_or_upgrade("shop", NAMESPACE, chart, {"replicas": 1}, timeout=60)
    watcher.join()
    assert _find_helm() == []
    helmed.repair_pending("shop", NAMESPACE, patience=0)
    assert helmed.get_values("shop", NAMESPACE) == {"colour": "red"}
    assert helmed.find("shop", NAMESPACE).status == "deployed"


def _find_helm():
    """The helm processes of this test that upgrade something."""
    found = []
    for child in psutil.Process().children(recursive=True):
        with contextlib.suppress(psutil.NoSuchProcess):
            found += [child] if "upgrade" in child.cmdline() else []
    return found
