"""The data plane of Azure container registries: the OCI distribution protocol and its tokens.

Emulated: login with an Entra token (``/oauth2/exchange``) or with the refresh token as a password,
pushes and pulls of blobs and manifests by tag and digest, mounts, lists, deletion. What is not: the
admin user, anonymous pulls, referrers, quotas, geo-replication.

The law: this knows neither ARM nor nodes. Which registries there are and what a caller may do is
asked of :class:`server.Directory`; what was pushed is told to it.
"""
