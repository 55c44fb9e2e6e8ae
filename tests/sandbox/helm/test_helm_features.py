"""Each feature of Helm on a chart of its own, with each major version of helm in use."""

import base64

import pytest

NO_HOOK = "hook.image=no:such:name,hook.seconds=1,image=web:2"


def image_of(shell):
    return shell.find("deployment", "web")["spec"]["template"]["spec"]["containers"][0]["image"]


def read_password(shell):
    return base64.b64decode(shell.find("secret", "password")["data"]["password"])


def install(shell, chart, *more):
    return shell.helm("install", "one", chart, "--create-namespace", *more)


def test_a_release_is_installed_upgraded_rolled_back_tested_and_removed(shell, charts):
    """Definitions, subchart, lookup, capabilities, hooks of every phase, waits, notes, history."""
    chart = charts / "features"
    said = install(shell, chart, "--wait", "--wait-for-jobs", "--timeout", "90s")
    assert f"one runs web:1 in {shell.namespace}." in said
    assert shell.find("job", "migrate")["status"]["succeeded"] == 1
    assert shell.find("widget", "one")["spec"] == {"size": 3, "color": "red"}
    assert shell.find("configmap", "settings")["data"] == {"word": "from the parent"}
    assert shell.find("job", "check") is None  # its delete policy: when it has succeeded
    password = read_password(shell)

    shell.helm("upgrade", "one", chart, "--set", "image=web:2", "--wait", "--timeout", "90s")
    shell.helm("upgrade", "one", chart, "--reuse-values", "--set", "color=blue")
    assert (image_of(shell), shell.find("widget", "one")["spec"]["color"]) == ("web:2", "blue")
    assert read_password(shell) == password
    seen = shell.find("configmap", "seen")["data"]
    assert seen == {
        "widgets": "true", "cronjobs": "true", "nothing": "false", "version": "v1.36.2"
    }  # fmt: skip

    shell.helm("rollback", "one", "1", "--wait", "--timeout", "90s")
    assert image_of(shell) == "web:1"
    shell.helm("test", "one", "--timeout", "90s")
    assert shell.find("pod", "one-ask")["status"]["phase"] == "Succeeded"
    assert [text for _, text in shell.history("one")] == [
        "Install complete", "Upgrade complete", "Upgrade complete", "Rollback to 1"
    ]  # fmt: skip
    assert "kind: Widget" in shell.helm("get", "manifest", "one")
    assert "helm.sh/hook: pre-delete" in shell.helm("get", "hooks", "one")

    shell.helm("uninstall", "one", "--wait", "--timeout", "90s")
    phases = ("install", "upgrade", "rollback", "delete")
    hooks = {f"configmap/{when}-{phase}" for when in ("pre", "post") for phase in phases}
    kept = {"configmap/seen", "configmap/kube-root-ca.crt"}
    assert shell.names("configmap") == hooks | kept
    assert shell.names("deployment,pod,secret,widget,job") <= {"pod/one-ask"}


def test_an_upgrade_that_fails_is_rolled_back(shell, charts):
    """By a hook over its deadline and by an image of no name; history says what happened."""
    chart = charts / "features"
    install(shell, chart, "--wait", "--timeout", "90s", "--set", "color=green")
    undo = "--atomic" if shell.is_old else "--rollback-on-failure"
    late = shell.try_helm("upgrade", "one", chart, undo, "--set", NO_HOOK, "--timeout", "30s")
    assert late.returncode != 0
    assert "pre-upgrade hooks failed" in late.stderr
    assert shell.find("job", "check")["status"]["conditions"][-1]["reason"] == "DeadlineExceeded"
    assert image_of(shell) == "web:1"
    wrong = shell.try_helm(
        "upgrade", "one", chart, undo, "--set", "image=web:_:1", "--timeout", "4s"
    )
    assert wrong.returncode != 0
    assert image_of(shell) == "web:1"
    history = shell.history("one")
    assert history[-1][0] == "deployed"
    assert history[-1][1].startswith("Rollback to ")
    assert shell.find("widget", "one")["spec"]["color"] == "green"


def test_a_dry_run_and_a_diff_change_nothing(shell, charts):
    """A server-side dry run renders with the cluster in view; kubectl diff shows what differs."""
    chart = charts / "features"
    shell.kubectl("create", "namespace", shell.namespace)
    shell.kubectl("apply", "-f", str(chart / "crds"))  # a dry run installs no definitions
    said = shell.helm("install", "one", chart, "--dry-run=server", "--set", "color=blue")
    assert "version: v1.36.2" in said
    assert shell.names("deployment,secret,job") == set()
    manifest = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: plain}\ndata: {a: b}\n"
    different = shell.try_kubectl("diff", "-f", "-", text=manifest)
    assert (different.returncode, "+  a: b" in different.stdout) == (1, True)
    shell.kubectl("apply", "-f", "-", text=manifest)
    assert shell.try_kubectl("diff", "-f", "-", text=manifest).returncode == 0


@pytest.fixture
def plain_chart(tmp_path):
    """A chart of one ConfigMap."""
    chart = tmp_path / "plain"
    (chart / "templates").mkdir(parents=True)
    (chart / "Chart.yaml").write_text("apiVersion: v2\nname: plain\nversion: 1.0.0\n")
    (chart / "templates" / "plain.yaml").write_text(
        "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: plain}\n"
        "data: {color: {{ .Values.color | default `red` }}}\n"
    )
    return chart


def test_what_somebody_else_made_is_taken_over_only_when_asked(shell, plain_chart):
    """A foreign object stops an installation; taking ownership makes it the release's."""
    shell.kubectl("create", "namespace", shell.namespace)
    shell.kubectl("create", "configmap", "plain", "--from-literal=color=red")
    refused = shell.try_helm("install", "one", plain_chart)
    assert "cannot be imported into the current release" in refused.stderr
    shell.helm("install", "one", plain_chart, "--take-ownership")
    labels = shell.find("configmap", "plain")["metadata"]["labels"]
    assert labels == {"app.kubernetes.io/managed-by": "Helm"}
    shell.helm("uninstall", "one", "--wait")
    assert shell.find("configmap", "plain") is None


def test_a_release_is_forced_over_a_change_by_hand_and_keeps_a_short_history(shell, plain_chart):
    """A field changed with kubectl is a conflict for server-side apply; force settles it."""
    shell.helm("install", "one", plain_chart, "--create-namespace")
    change = '{"data": {"color": "blue"}}'
    shell.kubectl("patch", "configmap", "plain", "--type=merge", "-p", change)
    more = ["upgrade", "one", plain_chart, "--history-max", "2", "--set", "color=green"]
    if shell.is_old:
        shell.helm(*more, "--force")
    else:
        refused = shell.try_helm(*more, "--server-side=true")
        assert 'conflict with "kubectl-patch" using v1: .data.color' in refused.stderr
        shell.helm(*more, "--server-side=true", "--force-conflicts")
        shell.helm(*more, "--server-side=false", "--force-replace")
    assert shell.find("configmap", "plain")["data"] == {"color": "green"}
    shell.helm(*more)
    assert len(shell.history("one")) == 2


def test_a_post_renderer_has_the_last_word(shell, plain_chart, tmp_path):
    """Helm 3 runs a program; Helm 4 a plugin of that type."""
    script = tmp_path / "blue.sh"
    script.write_text("#!/bin/sh\nsed s/red/blue/\n")
    script.chmod(0o755)
    renderer = str(script)
    if not shell.is_old:
        plugin = tmp_path / "plugin"
        plugin.mkdir()
        (plugin / "plugin.yaml").write_text(
            "apiVersion: v1\ntype: postrenderer/v1\nname: blue\nversion: 1.0.0\n"
            "runtime: subprocess\n"
            f"runtimeConfig:\n  platformCommand:\n    - command: {script}\n"
        )
        shell.helm("plugin", "install", str(plugin))
        renderer = "blue"
    shell.helm("install", "one", plain_chart, "--create-namespace", "--post-renderer", renderer)
    assert shell.find("configmap", "plain")["data"] == {"color": "blue"}
