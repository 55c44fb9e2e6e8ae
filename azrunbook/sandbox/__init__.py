"""A local Azure for the estate: the real clients cannot tell it from the real one.

What is real: helm, kubectl, Traefik, gunicorn with the application, the Azure SDKs. What is
emulated, at the protocol and with its observable behaviour:

``arm``     Azure Resource Manager and its token service: resource groups, networks, managed
            clusters and their pools, registries with builds, Front Door; long-running operations,
            conflicts, versions, quotas, throttling
``kube``    the API server and its controllers, one per managed cluster
``node``    kubelets and kube-proxy: pods are processes with an address of their own in 127.0.0.0/8
``edge``    Front Door's data path: routes, origin health, failover
``charts``  a Helm repository with a Traefik chart of the official chart's value names

What is not: databases, caches, storage, private endpoints and DNS; role assignments; several edge
sites; namespaces of the kernel (users, read-only file systems and network policies are accepted
and not enforced); admission webhooks. Each ARM operation that is
not emulated answers 404 and names the file to add it to. More of it stands where it is decided:
``node/__init__.py``, ``edge/config.py``, ``arm/routing.py``, ``kube/__init__.py``.

The servers meet only in ``host``; ``lifecycle`` starts and stops a sandbox from outside. Nothing is
imported here, so that asking for one part does not load the others.
"""
