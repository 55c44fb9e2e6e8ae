"""The application's credentials on a sandbox: what changes them is noticed, healed, taken back."""

from urllib.parse import quote, unquote, urlsplit

import pytest
import yaml

from azrunbook import resources, wait
from azrunbook.procedures import credentials, undoing
from azrunbook.resources import model, postgres

PROVISION, RELEASE = "01_provision_estate", "03_release_app"
STEP = "write the application's credentials"
NAME, NAMESPACE = "hello-world-data", "hello-world"


@pytest.fixture(scope="module", autouse=True)
def put_right(rehearsed):
    """Leave the estate as declared, and its releases' record true; the last test does already."""
    yield
    with rehearsed.inside():
        if credentials.observe(rehearsed.clients()).to_write:
            for stem in (PROVISION, RELEASE):
                assert rehearsed.perform(stem).verdict == "passed"


def read(clients, role, name=NAME):
    found = clients.region(role).secrets.find(NAMESPACE, name)
    return found and dict(found.values)


def list_pods(clients):
    return {role: {one.name for one in clients.region(role).workloads.list_pods(NAMESPACE)}
            for role in clients.estate.regions}  # fmt: skip


def read_password(values):
    return unquote(urlsplit(values["DATABASE_URL"]).password)


def find_texts(done, *secrets):
    """Which of these stand anywhere in what a run left."""
    record = [path.read_text() for path in done.folder.rglob("*") if path.is_file()]
    return [one for one in secrets if any(one in text for text in record)]


def test_a_secret_lost_in_one_cluster_is_copied_from_the_other(estate, clients):
    """The same password, and no pod is restarted: each has what it needs."""
    before, pods = read(clients, "secondary"), list_pods(clients)
    clients.region("secondary").secrets.delete(NAMESPACE, NAME)
    done = estate.perform(PROVISION)
    assert (done.verdict, done.started) == ("passed", [STEP])
    assert (read(clients, "secondary"), list_pods(clients)) == (before, pods)


def test_a_kubeconfig_that_has_ended_is_fetched_again_from_azure(estate):
    """By whoever meets the refusal first, here helm; Azure hands out the one that is good now."""
    region = estate.clients().region("primary")
    config = yaml.safe_load(region.kubeconfig.read_text())
    config["users"][0]["user"] = {"token": "token-that-has-ended"}
    region.kubeconfig.write_text(yaml.safe_dump(config))
    assert [one.name for one in region.releases.list(NAMESPACE)] == [NAMESPACE]
    assert "token-that-has-ended" not in region.kubeconfig.read_text()


def test_a_new_cache_key_reaches_the_pods_and_undo_brings_the_former_one_back(estate, clients):
    """The plan names the key that differs, only that region restarts, the journal holds nothing."""
    before, pods = read(clients, "secondary"), list_pods(clients)
    location = clients.estate.regions["secondary"].location
    database = next(
        one.id for one in resources.desired_resources(clients.estate, clients.subscription_id)
        if (one.type, one.region) == (model.MANAGED_CACHE_DATABASE, location)
    )  # fmt: skip
    key = clients.redis.replace_key(database, "Primary").primary
    done = estate.perform(PROVISION)
    changed = [one for one in done.plan["changes"] if one["action"] != "no_change"]
    assert [(one["region"], [two["path"] for two in one["properties"]]) for one in changed] == [
        ("westus2", ["data.REDIS_URL"])
    ]
    assert (done.verdict, done.started) == ("passed", [STEP]), done.error
    now = read(clients, "secondary")
    assert unquote(urlsplit(now["REDIS_URL"]).password) == key
    assert now["DATABASE_URL"] == before["DATABASE_URL"]
    after = list_pods(clients)
    assert after["primary"] == pods["primary"]
    assert not after["secondary"] <= pods["secondary"]
    assert undoing.undo(done.folder, clients).verdict == "undone"
    assert (read(clients, "secondary"), read(clients, "secondary", f"{NAME}-former")) == (
        before,
        None,
    )
    assert find_texts(done, key, *before.values(), *now.values()) == []


def test_passwords_that_contradict_are_noticed(estate, clients):
    """One was edited by hand: which one, nobody can say, so a new one would be set."""
    store = clients.region("secondary").secrets
    before = store.find(NAMESPACE, NAME)
    password = quote(read_password(before.values))
    edited = before.values["DATABASE_URL"].replace(password, "Edited-by-hand")
    store.write(NAMESPACE, NAME, {**before.values, "DATABASE_URL": edited}, before.annotations)
    done = estate.perform(PROVISION, apply=False)
    store.write(NAMESPACE, NAME, before.values, before.annotations)
    assert done.actions["update"] == 2
    assert any("cannot be believed" in note for note in done.plan["notes"])
    assert find_texts(done, edited) == []


def visit(clients):
    with clients.visits() as asked:
        return asked.record()


def be_refused(clients):
    """Change the password on the server alone, and let the application meet it."""
    location = clients.estate.primary.location
    server = postgres.server_id(clients.estate, clients.subscription_id, clients.estate.primary)
    body = {"properties": {"administratorLoginPassword": "Changed-by-somebody-1"}}
    poller = clients.arm.begin_patch(server, model.get_api_version(model.SERVER), body)
    clients.arm.wait(poller, what=f"change the password in {location}", timeout=60)
    if visit(clients) is not None:  # over a connection of before
        for role in clients.estate.regions:
            workloads = clients.region(role).workloads
            workloads.annotate_pods(NAMESPACE, release=NAMESPACE, annotations={"test": "again"})
            workloads.wait_for_rollout(NAMESPACE, release=NAMESPACE, timeout=60)
        assert visit(clients) is None


def test_a_password_changed_on_the_server_is_noticed_by_the_pods_and_set_anew(estate, clients):
    """Both get the same, pods are restarted with it, and a release then restarts nothing more."""
    before = read_password(read(clients, "primary"))
    be_refused(clients)
    pods = list_pods(clients)
    done = estate.perform(PROVISION)
    assert (done.verdict, done.started) == ("passed", [STEP]), done.error
    # The first one may still be answered by a pod of before, which drains.
    wait.wait_until(
        lambda: wait.Seen(None, visit(clients) is not None, "refused"), what="a visit", timeout=30
    )
    first, second = (read_password(read(clients, role)) for role in clients.estate.regions)
    assert first == second != before
    assert find_texts(done, first) == []
    restarted = list_pods(clients)
    assert all(not restarted[role] <= pods[role] for role in pods)
    digest = credentials.digest(read(clients, "primary"))
    released = estate.perform(RELEASE)
    assert released.verdict == "passed", released.error
    assert digest in str(released.plan["changes"])
    assert all(list_pods(clients)[role] <= restarted[role] for role in restarted)
