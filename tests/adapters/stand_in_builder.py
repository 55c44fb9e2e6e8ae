"""A docker, podman or buildah that builds nothing: says what they say, and really pushes.

Run as a program under one of their names. ``FAIL`` in the Dockerfile makes the build fail in that
program's own words, ``HANG`` makes it never end. Beside it lie ``argv`` (each command line) and
``modes`` (of the login file), for the test to look at.
"""

import base64
import hashlib
import json
import pathlib
import ssl
import sys
import time

HERE = pathlib.Path(sys.argv[0]).parent
NAME = pathlib.Path(sys.argv[0]).name
SAID = {
    "docker": "#5 [builder 2/3] COPY a .\n#6 [builder 3/3] RUN make\n#5 DONE 0.1s\n#6 1.0 no rule\n"
    "#6 ERROR: exit code: 2",
    "podman": "[1/2] STEP 1/2: FROM x AS builder\n[1/2] STEP 2/2: RUN make\nno rule\nError: exit 2",
    "buildah": "STEP 1/2: FROM x\nSTEP 2/2: RUN make\nno rule\nError: exit 2",
}
MANIFEST = "application/vnd.oci.image.manifest.v1+json"
CONFIG = b'{"config": {}, "os": "linux"}'


def say(text):
    """Print at once."""
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


def build(words):
    """Say what the builder says of a Dockerfile."""
    text = pathlib.Path(words[words.index("--file") + 1]).read_text()
    say(f"{NAME} has {text.strip()}")
    if "HANG" in text:
        time.sleep(600)
    if "FAIL" in text:
        say(SAID[NAME])
        return 2
    return 0


def push(words):
    """Push an image without layers, by the login that was handed over."""
    import httpx  # what only builds starts without it

    if NAME == "docker":
        path = pathlib.Path(words[words.index("--config") + 1], "config.json")
        trust = path.parent / "trust"  # docker itself trusts every address of the loopback
    else:
        path = pathlib.Path(words[words.index("--authfile") + 1])
        trust = pathlib.Path(words[words.index("--cert-dir") + 1])
    (HERE / "modes").write_text(
        f"{path.stat().st_mode & 0o777:o} {path.parent.stat().st_mode & 0o777:o}"
    )
    place, _, name = words[-1].partition("/")
    repository, _, tag = name.rpartition(":")
    auth = json.loads(path.read_text())["auths"][place]["auth"]
    user, _, password = base64.b64decode(auth).decode().partition(":")
    context = ssl.create_default_context(cafile=trust / "ca.crt")
    with httpx.Client(base_url=f"https://{place}", verify=context) as client:
        scope = {"scope": f"repository:{repository}:pull,push"}
        token = client.get("/oauth2/token", params=scope, auth=(user, password)).raise_for_status()
        client.headers["Authorization"] = f"Bearer {token.json()['access_token']}"
        digest = f"sha256:{hashlib.sha256(CONFIG).hexdigest()}"
        uploads = f"/v2/{repository}/blobs/uploads/"
        client.post(uploads, params={"digest": digest}, content=CONFIG).raise_for_status()
        manifest = {"config": {"digest": digest}, "layers": []}
        path = f"/v2/{repository}/manifests/{tag}"
        client.put(path, json=manifest, headers={"Content-Type": MANIFEST}).raise_for_status()
    return 0


def main():
    """Do what the command line asks for."""
    words = sys.argv[1:]
    with (HERE / "argv").open("a") as log:
        log.write(" ".join(words) + "\n")
    if "build" in words:
        return build(words)
    if "push" in words:
        return push(words)
    say("unix:///var/run/docker.sock" if "inspect" in words else f"{NAME} 9.8.7")
    return 0


if __name__ == "__main__":
    sys.exit(main())
