"""The API over HTTP: paths, negotiation, reads, writes, watches, logs."""
