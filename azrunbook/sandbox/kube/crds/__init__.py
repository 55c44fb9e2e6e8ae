"""Custom resources: definitions, schemas, defaults, pruning, validation."""
