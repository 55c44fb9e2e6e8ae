"""Front Door's custom domains, security policies and private links: what Azure refuses and adds.

A domain waits for its owner to prove it by DNS until its token's end, by the clock; nobody can
here, so it stays ``Pending`` and its certificate is not issued.
"""

import datetime as dt
import hashlib
import re
from typing import Any

from azrunbook.sandbox.arm import collection, errors, paths, services
from azrunbook.sandbox.arm.collection import Draft
from azrunbook.sandbox.arm.providers import networking

Json = dict[str, Any]

_PREMIUM = "Premium_AzureFrontDoor"
_HOST = re.compile(r"([a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?\.)+[a-z]{2,63}")
_TOKEN_LIFE = dt.timedelta(days=7)
_DOMAIN_NAME = r"[a-zA-Z0-9][-a-zA-Z0-9]{0,258}[a-zA-Z0-9]"


def complete_domain(draft: Draft) -> Json:
    """Return a domain's properties."""
    collection.check_name(draft.resource, _DOMAIN_NAME)
    host = draft.properties.get("hostName")
    before = (draft.existing or {}).get("properties") or {}
    if not isinstance(host, str) or not _HOST.fullmatch(host.lower()):
        raise errors.bad_request(
            f"The host name '{host}' of the custom domain is invalid.", target="hostName"
        )
    if before and before["hostName"] != host:
        raise errors.bad_request("The host name of a custom domain cannot be changed.")
    expiry = dt.datetime.now(dt.UTC) + _TOKEN_LIFE
    token = {
        "validationToken": hashlib.sha256(draft.resource.key.encode()).hexdigest()[:32],
        "expirationDate": expiry.isoformat(),
    }
    tls = {"certificateType": "ManagedCertificate", "minimumTlsVersion": "TLS12"}
    return {
        **draft.properties,
        "tlsSettings": {**tls, **(draft.properties.get("tlsSettings") or {})},
        "domainValidationState": "Pending",
        "validationProperties": before.get("validationProperties") or token,
        "deploymentStatus": "NotStarted",
        "profileName": draft.resource.parent.name,
    }


def check_private_link(draft: Draft, properties: Json, profile: Json, others: list[Json]) -> None:
    """Check the private link of an origin: the sku, its location, and that a group is not mixed.

    Raises:
        errors.ArmError: 400.
    """
    link = properties["sharedPrivateLinkResource"]
    if profile["sku"]["name"] != _PREMIUM:
        raise errors.bad_request(
            f"Private link origins are not supported with sku {profile['sku']['name']}: expected "
            f"{_PREMIUM}.",
            target="sharedPrivateLinkResource",
        )
    for key in ("privateLinkLocation", "requestMessage"):
        if not link.get(key):
            raise errors.bad_request(
                f"Property 'sharedPrivateLinkResource.{key}' is required.", target=key
            )
    try:
        paths.parse(str((link.get("privateLink") or {}).get("id")))
    except paths.InvalidIdError as error:
        raise errors.bad_request(
            f"Property 'sharedPrivateLinkResource.privateLink.id' is invalid: {error}",
            target="privateLink",
        ) from error
    if any(not one["properties"].get("sharedPrivateLinkResource") for one in others):
        raise errors.bad_request(
            f"Origin group '{draft.resource.parent.name}' cannot have public and private origins "
            "at once.",
            target="sharedPrivateLinkResource",
        )


def complete_policy(draft: Draft, parts: services.Services) -> Json:
    """Return a security policy's properties; its firewall and its domains must exist."""
    parameters = draft.properties.get("parameters") or {}
    policy = (parameters.get("wafPolicy") or {}).get("id")
    found = networking.require(parts, policy, networking.FIREWALL, draft.resource)
    profile = parts.store.get(draft.resource.parent)
    if found["sku"]["name"] != profile["sku"]["name"]:
        raise errors.bad_request(
            f"The sku of policy {found['name']} ({found['sku']['name']}) differs from the "
            f"profile's ({profile['sku']['name']}).",
        )
    for association in parameters.get("associations") or []:
        for domain in association.get("domains") or []:
            if parts.store.find(paths.parse(str(domain["id"]))) is None:
                raise errors.bad_request(
                    f"The domain {domain['id']} of security policy {draft.resource.name} was not "
                    "found.",
                )
            domain["isActive"] = True
    return {
        **draft.properties,
        "deploymentStatus": "NotStarted",
        "profileName": draft.resource.parent.name,
    }
