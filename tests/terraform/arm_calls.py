"""Azure Resource Manager as a Terraform provider reaches it: found, logged in to and waited for.

From the variables that the runbook gives terraform (``ARM_…``, ``SSL_CERT_FILE``) and from nothing
else: the metadata host says where the login and the resource manager are. Standard library only,
so that a fault of the SDKs that the runbook uses is not shared.
"""

import functools
import http.client
import json
import os
import threading
import time
import urllib.parse
from pathlib import Path

_DONE = {"succeeded", "failed", "canceled"}
_LOOK_SECONDS = 0.1
_TIMES = 600  # of looking: a minute, where operations take no time
_BUSY = {409, 429, 503}
_local = threading.local()


class ArmError(Exception):
    """What Azure refused, with its own code and message."""


def send(method, url, body=None, headers=None):
    """One request on this thread's connection; returns status, headers and the parsed body."""
    parts = urllib.parse.urlsplit(url)
    pool = _local.__dict__.setdefault("pool", {})
    path = f"{parts.path}?{parts.query}" if parts.query else parts.path
    for attempt in (1, 2):
        connection = pool.get(parts.netloc) or http.client.HTTPSConnection(parts.netloc, timeout=60)
        pool[parts.netloc] = connection
        try:
            connection.request(method, path, body, headers or {})
            answer = connection.getresponse()
            raw = answer.read()
        except (http.client.RemoteDisconnected, ConnectionError):  # a kept connection had ended
            pool.pop(parts.netloc).close()
            if attempt == 2:
                raise
            continue
        return answer.status, answer.headers, json.loads(raw) if raw.strip() else None
    raise AssertionError


@functools.cache
def find_cloud():
    """What the metadata host says of its cloud."""
    host = os.environ["ARM_METADATA_HOSTNAME"]
    status, _, cloud = send("GET", f"https://{host}/metadata/endpoints?api-version=2022-09-01")
    if status != http.client.OK:
        raise ArmError(f"https://{host}/metadata/endpoints answered {status}")
    return cloud


@functools.cache
def log_in():
    """The headers of this service principal; one token serves a run."""
    cloud = find_cloud()
    secret = Path(os.environ["ARM_CLIENT_SECRET_FILE_PATH"]).read_text().strip()
    form = {
        "client_id": os.environ["ARM_CLIENT_ID"],
        "client_secret": secret,
        "grant_type": "client_credentials",
        "scope": f"{cloud['authentication']['audiences'][0]}/.default",
    }
    login = f"{cloud['authentication']['loginEndpoint']}/{os.environ['ARM_TENANT_ID']}"
    kind = {"Content-Type": "application/x-www-form-urlencoded"}
    status, _, token = send(
        "POST", f"{login}/oauth2/v2.0/token", urllib.parse.urlencode(form), kind
    )
    if status != http.client.OK:
        raise ArmError(f"no token for {os.environ['ARM_CLIENT_ID']}: {status} {token}")
    return {
        "Authorization": f"Bearer {token['access_token']}",
        "Content-Type": "application/json",
    }


def _call(method, path, version, body=None):
    manager = find_cloud()["resourceManager"].rstrip("/")
    url = f"{manager}{urllib.parse.quote(path)}?api-version={version}"
    return send(method, url, None if body is None else json.dumps(body), log_in())


def get(id_, version):
    """A resource's document, or None where there is none."""
    status, _, body = _call("GET", id_, version)
    if status == http.client.NOT_FOUND:
        return None
    if status != http.client.OK:
        raise ArmError(f"GET {id_}: {status} {_say(body)}")
    return body


def change(method, id_, version, body=None):
    """A PUT, POST or DELETE, followed to its end; returns the answer's body."""
    for _ in range(_TIMES):
        status, headers, answer = _call(method, id_, version, body)
        if status not in _BUSY:
            break
        time.sleep(_LOOK_SECONDS)
    if method == "DELETE" and status == http.client.NOT_FOUND:
        return None
    if status >= http.client.MULTIPLE_CHOICES:
        raise ArmError(f"{method} {id_}: {status} {_say(answer)}")
    if operation := headers.get("Azure-AsyncOperation"):
        _follow(operation, f"{method} {id_}")
    elif status == http.client.ACCEPTED and headers.get("Location"):
        return _follow_location(headers["Location"], f"{method} {id_}")
    elif method == "PUT":
        _follow_state(id_, version)
    return answer


def _follow(url, what):
    for _ in range(_TIMES):
        _, _, operation = send("GET", url, None, log_in())
        if operation["status"].lower() in _DONE:
            if operation["status"].lower() != "succeeded":
                raise ArmError(f"{what}: {operation['status']}: {_say(operation)}")
            return
        time.sleep(_LOOK_SECONDS)
    raise ArmError(f"{what} did not end")


def _follow_location(url, what):
    for _ in range(_TIMES):
        status, _, body = send("GET", url, None, log_in())
        if status != http.client.ACCEPTED:
            if status >= http.client.MULTIPLE_CHOICES:
                raise ArmError(f"{what}: {status} {_say(body)}")
            return body
        time.sleep(_LOOK_SECONDS)
    raise ArmError(f"{what} did not end")


def _follow_state(id_, version):
    """Where no header says so, the resource itself says how far it is."""
    for _ in range(_TIMES):
        state = str(((get(id_, version) or {}).get("properties") or {}).get("provisioningState"))
        if state.lower() in {*_DONE, "none"}:
            if state.lower() in {"failed", "canceled"}:
                raise ArmError(f"PUT {id_}: {state}")
            return
        time.sleep(_LOOK_SECONDS)
    raise ArmError(f"PUT {id_} did not end")


def _say(body):
    error = (body or {}).get("error") or body
    return f"{error.get('code')}: {error.get('message')}" if isinstance(error, dict) else error
