"""A local Azure for the estate: the real clients cannot tell it from the real one.

Nothing is imported here, so that asking for one part does not load the others.
"""
