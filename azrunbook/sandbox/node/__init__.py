"""Nodes of an emulated cluster: agents that run pods as real processes, and the service proxy.

The law: a node knows its cluster only through the API server's HTTP interface, as a kubelet and a
kube-proxy do. The reason: then the API server is tested by every pod that starts, and a fault
between the two (a partition, a stopped control plane) behaves as it does in a real cluster.

What is real: processes, their output, signals, exit codes, ports, probes, memory and CPU figures.
What is not: there are no namespaces of the kernel. A pod has an address of its own in 127.0.0.0/8
and shares everything else with the machine; ``inside/sitecustomize.py`` and ``paths.py`` say how
far addresses and mounted files are translated for a container.
"""
