"""The data services of the sandbox: PostgreSQL and Redis as real processes, blobs in its own.

``postgres``, ``valkey`` and ``blob_service`` are what the host uses; the others are theirs.
Independent of the other servers of the sandbox: it is told addresses, a certificate authority and a
supervisor, and answers with names and addresses.
"""
