"""The service account of a pod: its token and a kubeconfig, where a real pod has mounted files.

A program in a container reads its token at a fixed absolute path, which cannot exist for each
pod without a mount namespace: it is translated as a mounted volume's is (``paths.py``), and for
other programs ``KUBECONFIG`` says the same to every client that knows it.
The token comes from TokenRequest and is bound to the pod.
"""

import json
import os
import ssl
from pathlib import Path

from azrunbook.sandbox.node import api, config

MOUNT_PATH = "/var/run/secrets/kubernetes.io/serviceaccount"
TOKEN_SECONDS = 365 * 24 * 3600


def read_authorities(context: ssl.SSLContext) -> str:
    """Return the certificates that a TLS context trusts, PEM."""
    return "".join(ssl.DER_cert_to_PEM_cert(der) for der in context.get_ca_certs(binary_form=True))


async def request_token(
    client: api.ApiClient, pod: config.Object, *, audience: str | None = None
) -> str:
    """Ask for a token of the pod's service account.

    Raises:
        ApiError: no such service account, or not allowed.
    """
    meta = pod["metadata"]
    account = pod["spec"].get("serviceAccountName") or "default"
    path = f"/api/v1/namespaces/{meta['namespace']}/serviceaccounts/{account}/token"
    spec = {
        "audiences": [audience] if audience else [],
        "expirationSeconds": TOKEN_SECONDS,
        "boundObjectRef": {
            "kind": "Pod",
            "apiVersion": "v1",
            "name": meta["name"],
            "uid": meta["uid"],
        },
    }
    request = {"apiVersion": "authentication.k8s.io/v1", "kind": "TokenRequest", "spec": spec}
    return str((await client.create(path, request))["status"]["token"])


async def is_mounted(client: api.ApiClient, pod: config.Object) -> bool:
    """Tell whether a pod gets its token: the pod decides, else its service account; else yes.

    Raises:
        ApiError: no such service account.
    """
    wanted = pod["spec"].get("automountServiceAccountToken")
    if wanted is None:
        account = pod["spec"].get("serviceAccountName") or "default"
        path = f"/api/v1/namespaces/{pod['metadata']['namespace']}/serviceaccounts/{account}"
        wanted = (await client.get(path)).get("automountServiceAccountToken")
    return wanted is not False


def write_kubeconfig(folder: Path, access: api.ApiAccess, *, token: str, namespace: str) -> Path:
    """Write a kubeconfig (JSON is YAML), its token and its CA, for the owner only."""
    folder.mkdir(parents=True, exist_ok=True)
    write_private(folder / "token", token.encode())
    write_private(folder / "namespace", namespace.encode())
    write_private(folder / "ca.crt", read_authorities(access.ssl_context).encode())
    content = {
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [
            {
                "name": "cluster",
                "cluster": {
                    "server": access.url,
                    "certificate-authority": str(folder / "ca.crt"),
                },
            }
        ],
        "users": [{"name": "pod", "user": {"tokenFile": str(folder / "token")}}],
        "contexts": [
            {
                "name": "pod",
                "context": {"cluster": "cluster", "user": "pod", "namespace": namespace},
            }
        ],
        "current-context": "pod",
    }
    path = folder / "kubeconfig"
    write_private(path, json.dumps(content).encode())
    return path


def write_private(path: Path, content: bytes, mode: int = 0o600) -> None:
    """Write a file that has its mode from the first byte on."""
    path.unlink(missing_ok=True)
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode), "wb") as file:
        file.write(content)
