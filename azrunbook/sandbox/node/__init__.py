"""Nodes of an emulated cluster: agents that run pods as real processes, and the service proxy.

The law: a node knows its cluster only through the API server's HTTP interface, as a kubelet and a
kube-proxy do. The reason: then the API server is tested by every pod that starts, and a fault
between the two (a partition, a stopped control plane) behaves as it does in a real cluster.

What is real: processes, their output, signals, exit codes, ports, probes, memory and CPU figures.

How far a pod is isolated. It needs no privilege and no namespace of the kernel, so it is the same
on every machine:

* a session and process group of its own; with a container's first process ends all that it
  started, also daemons, found by a mark in their environment (one that was started with an
  environment without the mark is not found);
* an environment of its own (nothing of the sandbox's), no descriptors but its three streams,
  umask 022, no core dumps, a home and a /tmp of its own;
* an address of its own in 127.0.0.0/8, and for Python the loopback is that address;
* a memory limit, kept by looking every few seconds. CPU limits are for the autoscaler and the
  scheduler only, and nothing counts processes;
* it dies with the sandbox, also after ``kill -9`` (``processes.py``).

What it shares: the user, the file system, the network, the process table. So read-only roots,
users, capabilities and network policies are accepted and not enforced, an image's tree is the same
files for all its containers, and a program can read what its user can read. ``paths.py`` and
``inside/sitecustomize.py`` say how far the paths of mounted files are translated for a container.
"""
