"""A Kubernetes API server in behaviour, version 1.36.

Law: nothing here knows ARM, the nodes, the edge or the databases, and none of the SDKs.
Reason: helm, kubectl, Traefik and the kubernetes client must not be able to tell; so what they see
(defaults, validation messages, patches, watches, discovery) is made from the real server's data.

Emulated: discovery, all verbs of every built-in resource of the stable API groups, custom
resources, the four patch types and server-side apply, watches with bookmarks, Table output,
RBAC, service account tokens, the subresources status, scale, eviction, binding, token and log; the
resource metrics API, where the cluster is given a source of measurements.
Not emulated: exec, attach, port-forward and proxy; admission webhooks and CEL policies (they are
stored, not called); conversion webhooks; aggregation of other API servers; protobuf.
"""
