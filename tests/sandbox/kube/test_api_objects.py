"""Objects through the real kubernetes client."""

import json
import ssl
import urllib.error
import urllib.request

import pytest
from kubernetes import client, watch
from kubernetes.client.exceptions import ApiException


def config_map(name, **parts):
    return {"metadata": {"name": name, **parts.pop("metadata", {})}, **parts}


def deployment(name, **spec):
    template = {
        "metadata": {"labels": {"app": name}},
        "spec": {"containers": [{"name": "c", "image": "i:1"}]},
    }
    selector = {"matchLabels": {"app": name}}
    return {
        "metadata": {"name": name},
        "spec": {"replicas": 0, "selector": selector, "template": template, **spec},
    }


def post(api_client, path, body):
    """A request that the typed client would refuse to send."""
    headers = {"Accept": "application/json", "Content-Type": "application/json"}
    url = api_client.configuration.host + path
    answer = api_client.call_api("POST", url, headers, body)
    return answer.status, json.loads(answer.read())


def code_of(call, *arguments, **options):
    with pytest.raises(ApiException) as raised:
        call(*arguments, **options)
    return raised.value.status, json.loads(raised.value.body)


def test_object_is_created_read_changed_and_deleted(core, ns):
    """The whole life of a ConfigMap."""
    core.create_namespaced_config_map(ns, config_map("c", data={"a": "1"}))
    core.patch_namespaced_config_map("c", ns, {"data": {"b": "2"}})
    assert core.read_namespaced_config_map("c", ns).data == {"a": "1", "b": "2"}
    core.delete_namespaced_config_map("c", ns)
    assert code_of(core.read_namespaced_config_map, "c", ns)[0] == 404


def test_stale_update_is_a_conflict(core, ns):
    """Optimistic locking by resourceVersion."""
    first = core.create_namespaced_config_map(ns, config_map("c"))
    core.patch_namespaced_config_map("c", ns, {"data": {"a": "1"}})
    code, status = code_of(core.replace_namespaced_config_map, "c", ns, first)
    assert (code, status["reason"]) == (409, "Conflict")


def test_unchanged_write_keeps_the_version(core, ns):
    """Nothing is written when nothing differs."""
    core.create_namespaced_config_map(ns, config_map("c", data={"a": "1"}))
    first = core.patch_namespaced_config_map("c", ns, {"data": {"a": "1"}})
    second = core.patch_namespaced_config_map("c", ns, {"data": {"a": "1"}})
    assert first.metadata.resource_version == second.metadata.resource_version


def test_dry_run_stores_nothing(core, ns):
    """Neither the object nor a version."""
    core.create_namespaced_config_map(ns, config_map("c"), dry_run="All")
    assert code_of(core.read_namespaced_config_map, "c", ns)[0] == 404


def test_strict_field_validation_names_the_unknown_field(api_client, ns):
    """With the path of the field."""
    path = f"/apis/apps/v1/namespaces/{ns}/deployments?fieldValidation=Strict"
    code, status = post(api_client, path, deployment("d", replcas=1))
    assert code == 400
    assert 'strict decoding error: unknown field "spec.replcas"' in status["message"]


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"replicas": -1}, "spec.replicas"),
        ({"selector": {"matchLabels": {"x": "y"}}}, "spec.template.metadata.labels"),
        ({"strategy": {"type": "Sometimes"}}, "spec.strategy"),
        ({"progressDeadlineSeconds": 0}, "spec.progressDeadlineSeconds"),
    ],
)
def test_invalid_deployment_is_refused_with_the_field(api_client, ns, change, field):
    """422 with a cause per field."""
    apps = client.AppsV1Api(api_client)
    code, status = code_of(apps.create_namespaced_deployment, ns, deployment("d", **change))
    assert code == 422
    assert field in [cause["field"] for cause in status["details"]["causes"]]


def test_generation_counts_what_is_wanted(api_client, ns):
    """Not labels and not status."""
    apps = client.AppsV1Api(api_client)
    apps.create_namespaced_deployment(ns, deployment("d"))
    apps.patch_namespaced_deployment("d", ns, {"metadata": {"labels": {"a": "b"}}})
    apps.patch_namespaced_deployment_status("d", ns, {"status": {"replicas": 3}})
    assert apps.read_namespaced_deployment("d", ns).metadata.generation == 1
    apps.patch_namespaced_deployment_scale("d", ns, {"spec": {"replicas": 2}})
    assert apps.read_namespaced_deployment("d", ns).metadata.generation == 2


def test_pages_of_a_list_are_of_one_version(core, ns):
    """What is created between two pages is not in the second."""
    for name in ("a", "b", "d"):
        core.create_namespaced_config_map(ns, config_map(name))
    first = core.list_namespaced_config_map(ns, limit=2)
    core.create_namespaced_config_map(ns, config_map("c"))
    second = core.list_namespaced_config_map(ns, limit=2, _continue=first.metadata._continue)
    names = [item.metadata.name for page in (first, second) for item in page.items]
    assert names == ["a", "b", "d"]
    assert first.metadata.remaining_item_count == 1


def test_watch_goes_on_from_a_version(core, ns):
    """With what has happened since, in order."""
    version = core.list_namespaced_config_map(ns).metadata.resource_version
    core.create_namespaced_config_map(ns, config_map("a"))
    core.patch_namespaced_config_map("a", ns, {"data": {"x": "1"}})
    core.delete_namespaced_config_map("a", ns)
    stream = watch.Watch().stream(
        core.list_namespaced_config_map, ns, resource_version=version, timeout_seconds=2
    )
    assert [event["type"] for event in stream] == ["ADDED", "MODIFIED", "DELETED"]


def test_object_that_stops_matching_is_deleted_for_the_watcher(core, ns):
    """A watch by label sees a change of the label as an end."""
    version = core.list_namespaced_config_map(ns).metadata.resource_version
    core.create_namespaced_config_map(ns, config_map("a", metadata={"labels": {"x": "1"}}))
    core.patch_namespaced_config_map("a", ns, {"metadata": {"labels": {"x": "2"}}})
    stream = watch.Watch().stream(
        core.list_namespaced_config_map,
        ns,
        label_selector="x=1",
        resource_version=version,
        timeout_seconds=2,
    )
    assert [event["type"] for event in stream] == ["ADDED", "DELETED"]


def test_initial_events_end_with_a_bookmark(api_client, core, ns):
    """What helm 4 and Traefik begin their watches with."""
    core.create_namespaced_config_map(ns, config_map("a"))
    query = [
        ("watch", "true"),
        ("sendInitialEvents", "true"),
        ("resourceVersionMatch", "NotOlderThan"),
        ("allowWatchBookmarks", "true"),
        ("timeoutSeconds", "1"),
    ]
    text = api_client.call_api(
        "GET",
        api_client.configuration.host
        + f"/api/v1/namespaces/{ns}/configmaps?"
        + "&".join(f"{key}={value}" for key, value in query),
        {"Accept": "application/json"},
    ).read()
    events = [json.loads(line) for line in text.splitlines()]
    assert [event["type"] for event in events] == ["ADDED", "BOOKMARK"]
    annotations = events[1]["object"]["metadata"]["annotations"]
    assert annotations == {"k8s.io/initial-events-end": "true"}


def test_finalizer_holds_a_deleted_object(core, ns):
    """Until the last one is taken away."""
    core.create_namespaced_config_map(ns, config_map("c", metadata={"finalizers": ["x.io/f"]}))
    core.delete_namespaced_config_map("c", ns)
    assert core.read_namespaced_config_map("c", ns).metadata.deletion_timestamp is not None
    core.patch_namespaced_config_map("c", ns, {"metadata": {"finalizers": None}})
    assert code_of(core.read_namespaced_config_map, "c", ns)[0] == 404


def test_eviction_is_held_up_by_a_disruption_budget(api_client, core, ns):
    """429 as long as no disruption is allowed."""
    spec = {"containers": [{"name": "c", "image": "i"}]}
    core.create_namespaced_pod(ns, {"metadata": {"name": "p", "labels": {"a": "b"}}, "spec": spec})
    core.patch_namespaced_pod_status("p", ns, {"status": {"phase": "Running"}})
    policy = client.PolicyV1Api(api_client)
    budget = {"minAvailable": 1, "selector": {"matchLabels": {"a": "b"}}}
    policy.create_namespaced_pod_disruption_budget(ns, {"metadata": {"name": "b"}, "spec": budget})
    eviction = {"metadata": {"name": "p"}}
    assert code_of(core.create_namespaced_pod_eviction, "p", ns, eviction)[0] == 429
    allowed = {"status": {"disruptionsAllowed": 1, "observedGeneration": 1}}
    policy.patch_namespaced_pod_disruption_budget_status("b", ns, allowed)
    core.create_namespaced_pod_eviction("p", ns, eviction)
    assert code_of(core.read_namespaced_pod, "p", ns)[0] == 404


def test_custom_resource_is_served_defaulted_pruned_and_validated(api_client, ns):
    """From the moment its definition is created to the moment that is deleted."""
    group = "api.example.com"
    properties = {
        "size": {"type": "integer", "minimum": 1},
        "colour": {"type": "string", "default": "blue"},
    }
    schema = {
        "type": "object",
        "properties": {"spec": {"type": "object", "properties": properties}},
    }
    version = {"name": "v1", "served": True, "storage": True}
    definition = {
        "metadata": {"name": f"things.{group}"},
        "spec": {
            "group": group,
            "scope": "Namespaced",
            "names": {"plural": "things", "kind": "Thing"},
            "versions": [{**version, "schema": {"openAPIV3Schema": schema}}],
        },
    }
    extensions = client.ApiextensionsV1Api(api_client)
    custom = client.CustomObjectsApi(api_client)
    extensions.create_custom_resource_definition(definition)
    head = {"apiVersion": f"{group}/v1", "kind": "Thing"}
    where = (group, "v1", ns, "things")
    good = {**head, "metadata": {"name": "t"}, "spec": {"size": 2, "extra": 1}}
    bad = {**head, "metadata": {"name": "u"}, "spec": {"size": 0}}
    made = custom.create_namespaced_custom_object(*where, good)
    assert made["spec"] == {"size": 2, "colour": "blue"}
    assert code_of(custom.create_namespaced_custom_object, *where, bad)[0] == 422
    extensions.delete_custom_resource_definition(f"things.{group}")
    with pytest.raises(ApiException):
        custom.list_namespaced_custom_object(*where)


def ask(kube_api, path, token=None):
    request = urllib.request.Request(kube_api.server.url + path)  # noqa: S310 - https
    if token:
        request.add_header("Authorization", f"Bearer {token}")
    context = ssl.create_default_context(cadata=kube_api.authority.certificate_pem.decode())
    try:
        with urllib.request.urlopen(request, context=context, timeout=10) as answer:  # noqa: S310
            return answer.status
    except urllib.error.HTTPError as error:
        with error:
            return error.code


@pytest.mark.parametrize(
    ("path", "token", "code"),
    [
        ("/version", None, 200),
        ("/readyz", None, 200),
        ("/api/v1/pods", None, 401),
        ("/api", None, 401),
        ("/version", "wrong", 401),
    ],
)
def test_identity_is_needed_everywhere_but_for_version_and_health(kube_api, path, token, code):
    """No anonymous reads, and a wrong token is never anonymous."""
    assert ask(kube_api, path, token) == code


def test_service_account_may_do_what_its_role_says(kube_api, api_client, core, ns):
    """A token from TokenRequest, a Role and a RoleBinding."""
    core.create_namespaced_service_account(ns, {"metadata": {"name": "robot"}})
    request = {"spec": {"expirationSeconds": 3600}}
    token = core.create_namespaced_service_account_token("robot", ns, request).status.token
    path = f"/api/v1/namespaces/{ns}/pods"
    assert ask(kube_api, path, token) == 403
    rbac = client.RbacAuthorizationV1Api(api_client)
    rule = {"apiGroups": [""], "resources": ["pods"], "verbs": ["list"]}
    rbac.create_namespaced_role(ns, {"metadata": {"name": "r"}, "rules": [rule]})
    binding = {
        "metadata": {"name": "r"},
        "roleRef": {"kind": "Role", "name": "r"},
        "subjects": [{"kind": "ServiceAccount", "name": "robot", "namespace": ns}],
    }
    rbac.create_namespaced_role_binding(ns, binding)
    assert ask(kube_api, path, token) == 200
    core.delete_namespaced_service_account("robot", ns)
    assert ask(kube_api, path, token) == 401


def test_scale_of_another_name_is_refused(api_client, ns):
    """The body of an update says the name of the request."""
    apps = client.AppsV1Api(api_client)
    apps.create_namespaced_deployment(ns, deployment("d"))
    scale = {"metadata": {"name": "e"}, "spec": {"replicas": 1}}
    code, status = code_of(apps.replace_namespaced_deployment_scale, "d", ns, scale)
    assert code == 400
    assert "the name of the object (e) does not match" in status["message"]
