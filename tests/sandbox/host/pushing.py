"""What docker push does, in a few requests: log in, blobs, a manifest."""

import gzip
import hashlib
import io
import json
import ssl
import tarfile

import httpx

MANIFEST = "application/vnd.oci.image.manifest.v1+json"
INDEX = "application/vnd.oci.image.index.v1+json"
USER = "00000000-0000-0000-0000-000000000000"


def make_layer(files):
    """A gzipped tar of texts by their path; a path that ends in = is a link to its text."""
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as archive:
        for name, text in files.items():
            member = tarfile.TarInfo(name.removesuffix("="))
            if name.endswith("="):
                member.type, member.linkname = tarfile.SYMTYPE, text
            member.size = 0 if member.issym() else len(text)
            archive.addfile(member, io.BytesIO(text.encode()))
    return gzip.compress(out.getvalue(), mtime=0)


def digest(content):
    return f"sha256:{hashlib.sha256(content).hexdigest()}"


def describe(config, *layers):
    """A manifest of a configuration and layers, as bytes."""
    parts = [{"mediaType": "x", "digest": digest(one), "size": len(one)} for one in layers]
    content = {"schemaVersion": 2, "mediaType": MANIFEST, "config": {"digest": digest(config)},
               "layers": parts}  # fmt: skip
    return json.dumps(content).encode()


def describe_index(**platforms):
    """An index of manifests by their architecture, as bytes."""
    parts = [
        {"digest": digest(one), "platform": {"os": "linux", "architecture": architecture}}
        for architecture, one in platforms.items()
    ]
    return json.dumps({"schemaVersion": 2, "mediaType": INDEX, "manifests": parts}).encode()


class Client:
    """A client of one registry, by the address that all of them share."""

    def __init__(self, place, registry, ca_bundle):
        context = ssl.create_default_context(cafile=ca_bundle)
        self.http = httpx.Client(base_url=f"https://{place}", verify=context, timeout=20)
        self.registry = registry

    def exchange(self, token, **form):
        given = {"grant_type": "access_token", "service": self.registry, "access_token": token}
        return self.http.post("/oauth2/exchange", data={**given, **form})

    def log_in(self, token, scope):
        """As docker: the refresh token is the password of the user of zeros."""
        refresh = self.exchange(token).json()["refresh_token"]
        answer = self.http.get("/oauth2/token", params={"scope": scope}, auth=(USER, refresh))
        self.http.headers["Authorization"] = f"Bearer {answer.json()['access_token']}"

    def push_blob(self, repository, content):
        begun = self.http.post(f"/v2/{repository}/blobs/uploads/")
        place = begun.headers["Location"]
        half = len(content) // 2
        place = self.http.patch(place, content=content[:half]).headers["Location"]
        return self.http.put(
            place, params={"digest": digest(content)}, content=content[half:]
        ).raise_for_status()

    def push(self, repository, tag, config, *layers):
        for one in (config, *layers):
            self.push_blob(repository, one)
        return self.put_manifest(repository, tag, describe(config, *layers)).raise_for_status()

    def put_manifest(self, repository, reference, content, kind=MANIFEST):
        path = f"/v2/{repository}/manifests/{reference}"
        return self.http.put(path, content=content, headers={"Content-Type": kind})
