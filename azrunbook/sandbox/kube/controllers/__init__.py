"""The controllers of one emulated cluster: what kube-controller-manager and kube-scheduler do.

Law: a controller sees the cluster only through the registry (reads, writes, watches) and the
clock it is given; it opens no socket, starts no process and knows no node agent. What it decides
is a pure function in a module of its own; the controller around it reads, decides and writes.
"""
