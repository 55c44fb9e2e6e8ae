"""The data services of the sandbox: PostgreSQL flexible servers and Redis, as real processes.

``postgres`` and ``valkey`` are what the host uses; the other modules are theirs. Independent of the
other servers of the sandbox: it is told addresses, a certificate authority and a supervisor, and
answers with names and addresses.
"""
