"""Procedures: what each notebook does, and the record of doing it.

One file per procedure with the same names in the same order (``Facts``, ``observe``, ``preflight``,
``plan``, ``verify``, then its actions). ``runs`` is what a notebook talks to; ``records`` reads a
run's journal; ``steps``, ``undoing`` and ``actions`` do and undo what a plan says.
"""
