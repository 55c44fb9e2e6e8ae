"""Plays a walk: the calls that Terraform's azurerm makes for one resource, in its order.

A walk is a file of `walks/`, one per resource family, written from the provider's source: facts
for a reader, and here a client that holds the sandbox to them. Its keys::

    resources:                      one entry per resource of the family
      - name: azurerm_resource_group
        api: "2023-07-01"           of every call that has no api of its own
        given:                      what must be there before; each is PUT and waited for
          - {put: "{group}/providers/…", api: …, body: {…}}
        steps:
          - call: PUT {group}/…     method and path; {group} is the walk's own resource group
            why: …                  what the provider does with it
            body: {…}
            over: {…}               instead: what was answered last, with this laid over it; null
                                    removes
            query: {…}              beside the api-version
            expect: [200, 201]      statuses that the provider's SDK takes
            polled: true            the SDK waits for its end before the next step
            again: true             the provider asks again until it is so
            read: {a.b.0: value}    what the provider reads of the answer; see `ANY`, `NOTHING`
            save: {name: a.b}       for {name} in later steps

Waiting is done as go-azure-sdk does it (sdk/client/resourcemanager/poller*.go of 2026), with its
errors: an operation's URL if the answer has one, else the provisioningState of what was written,
else, after a DELETE, a GET until 404. The provider's 5.2 looks for that 404 after every DELETE;
since 5.3 it polls the operation's URL there too, and fails if that ends in a 204. Both are held.
"""

import threading
import time
from dataclasses import dataclass, field
from typing import Any

import requests

ANY, NOTHING = "(any)", "(nothing)"  # there and not null; absent or null
DEADLINE_SECONDS = 30.0
IN_PROGRESS = {"inprogress", "accepted", "active", "creating", "created", "running", "updating",
               "provisioning", "working", "resolvingdns"}  # fmt: skip
FAILED = {"failed", "canceled", "cancelled"}


@dataclass
class Player:
    """One resource's walk against a running server."""

    session: requests.Session
    url: str
    api: str
    names: dict[str, str]
    pause: threading.Event = field(default_factory=threading.Event)
    last: Any = None

    def play(self, step: dict[str, Any]) -> None:
        """Make one call, or as many as the provider makes."""
        deadline = time.monotonic() + DEADLINE_SECONDS
        while True:
            try:
                return self.call(step)
            except AssertionError:
                if not step.get("again") or time.monotonic() > deadline:
                    raise
            self.pause.wait(0.01)

    def call(self, step: dict[str, Any]) -> None:
        """Make one call, wait if the provider waits, and check what it reads."""
        answer = self.send(step)
        wanted = step.get("expect", 200)
        wanted = wanted if isinstance(wanted, list) else [wanted]
        assert answer.status_code in wanted, f"{answer.status_code}: {answer.text}"
        if step.get("polled"):
            self.wait(answer, step)
        if answer.content:
            self.last = answer.json()
        for path, value in step.get("read", {}).items():
            check(self.last, path, self.fill(value))
        for name, path in step.get("save", {}).items():
            self.names[name] = str(dig(self.last, path))

    def prepare(self, given: dict[str, Any]) -> None:
        """Put what a walk starts from."""
        path, api = given["put"], given.get("api", self.api)
        put = {"call": f"PUT {path}", "api": api, "body": given["body"]}
        self.play({**put, "expect": [200, 201, 202], "polled": True})
        if "save" in given:
            self.play({"call": f"GET {path}", "api": api, "save": given["save"]})

    def send(self, step: dict[str, Any]) -> requests.Response:
        method, path = self.fill(step["call"]).split()
        query = {"api-version": step.get("api", self.api), **self.fill(step.get("query", {}))}
        body = self.fill(step["body"]) if "body" in step else None
        if "over" in step:
            body = lay_over(self.fill(step["over"]), self.last)
        return self.session.request(method, f"{self.url}{path}", params=query, json=body)

    def fill(self, value: Any) -> Any:
        """Put the names into every text."""
        if isinstance(value, str):
            for name, text in self.names.items():
                value = value.replace(f"{{{name}}}", text)
            return value
        if isinstance(value, dict):
            return {self.fill(key): self.fill(one) for key, one in value.items()}
        return [self.fill(one) for one in value] if isinstance(value, list) else value

    def wait(self, answer: requests.Response, step: dict[str, Any]) -> None:
        """Wait as the SDK does; which way is decided by the first answer."""
        method, api = answer.request.method, step.get("api", self.api)
        own = answer.url.partition("?")[0]
        url = answer.headers.get("Azure-AsyncOperation") or answer.headers.get("Location")
        if url:
            # Whole seconds, or the SDK waits ten; the walk itself does not wait so long.
            assert int(answer.headers["Retry-After"]) == 1
            self.until(url, operation_state)
        elif method != "DELETE":
            assert answer.status_code in {200, 201}, "nothing to poll"
            assert "application/json" in answer.headers["Content-Type"]
            self.until(f"{own}?api-version={api}", resource_state)
        if method == "DELETE":
            self.until(f"{own}?api-version={api}", deletion_state)

    def until(self, url: str, state: Any) -> None:
        """Poll until the state is succeeded; anything that is not in progress fails."""
        assert url.startswith(self.url), f"not an absolute URL of this server: {url}"
        deadline = time.monotonic() + DEADLINE_SECONDS
        while (found := state(self.session.get(url)).lower()) != "succeeded":
            assert found in IN_PROGRESS, f"the SDK knows no status {found!r}"
            assert time.monotonic() < deadline, f"still {found} after {DEADLINE_SECONDS} s"
            self.pause.wait(0.01)


def operation_state(answer: requests.Response) -> str:
    """What poller_lro.go reads of a polled operation."""
    assert answer.status_code in {200, 201, 202, 204}, answer.text
    if answer.status_code == 202:
        return "InProgress"
    if answer.status_code == 200 and not answer.content:
        return "Succeeded"
    kind = answer.headers.get("Content-Type", "")
    assert "application/json" in kind, f"no polling support for a {answer.status_code} of {kind!r}"
    body = answer.json()
    state = body.get("status") or (body.get("properties") or {}).get("provisioningState")
    assert state, f"neither status nor provisioningState: {body}"
    assert state.lower() not in FAILED, answer.text
    return state


def resource_state(answer: requests.Response) -> str:
    """What poller_provisioning_state.go reads of a resource; any unknown state is in progress."""
    assert answer.status_code == 200, answer.text
    body = answer.json()
    state = (body.get("properties") or {}).get("provisioningState") or body.get("status")
    assert (state or "").lower() not in FAILED, answer.text
    return "Succeeded" if state in {None, "Succeeded"} else "InProgress"


def deletion_state(answer: requests.Response) -> str:
    """What poller_delete.go makes of the resource that is being deleted."""
    assert answer.status_code in {200, 404}, answer.text
    return "Succeeded" if answer.status_code == 404 else "InProgress"


def dig(document: Any, path: str) -> Any:
    """Return what lies at a dotted path (a number is a place in a list); None if nothing does."""
    for key in path.split("."):
        if isinstance(document, list):
            document = document[int(key)] if int(key) < len(document) else None
        else:
            document = document.get(key) if isinstance(document, dict) else None
    return document


def lay_over(upper: Any, lower: Any) -> Any:
    """Return the lower document with the upper one's values in it."""
    if not (isinstance(upper, dict) and isinstance(lower, dict)):
        return upper
    merged = {**lower, **{key: lay_over(value, lower.get(key)) for key, value in upper.items()}}
    return {key: value for key, value in merged.items() if value is not None or key not in upper}


def check(document: Any, path: str, wanted: Any) -> None:
    """Compare what lies at a path, letter by letter."""
    found = dig(document, path)
    if wanted == ANY:
        assert found is not None, f"{path} is missing in {document}"
    elif wanted == NOTHING:
        assert found is None, f"{path} is {found!r}"
    else:
        assert found == wanted, f"{path} is {found!r}, the provider wants {wanted!r}"
