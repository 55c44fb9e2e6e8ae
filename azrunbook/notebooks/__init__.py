"""Notebooks run headless: parameters checked first, papermill inside, a truthful record outside.

``parameters`` reads what a master notebook takes; ``runner`` runs one and leaves its report;
``engine`` executes the cells through papermill; ``kernel`` is what the kernel's process runs. The
notebook's own status is never trusted: papermill calls cells that never ran completed.
"""
