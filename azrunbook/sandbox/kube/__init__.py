"""A Kubernetes API server in behaviour, version 1.36.

Law: nothing here knows ARM, the nodes, the edge or the databases, and none of the SDKs.
Reason: helm, kubectl, Traefik and the kubernetes client must not be able to tell; so what they see
(defaults, validation messages, patches, watches, discovery) is made from the real server's data.

Emulated: discovery, all verbs of every built-in resource of the stable API groups, custom
resources, the four patch types and server-side apply, watches with bookmarks, Table output,
RBAC with aggregated roles, service account tokens, the subresources status, scale, eviction,
binding, token and log; persistent volumes of installed CSI drivers; the resource metrics API, where
the cluster is given a source of measurements.
Not emulated: the subresource proxy; conversion webhooks; aggregation of other API
servers (their APIService says so); protobuf. Admission webhooks and CEL policies are stored and
never called: the servers behind them hardly ever run here, and one with failurePolicy Fail would
refuse everything that its chart is about, where a real cluster would let it pass.
"""
