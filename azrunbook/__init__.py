"""A runbook for a two-region AKS estate: notebooks over a small library, and a local Azure.

The notebooks in ``notebooks/`` call one function of this package per step. Which module may use
which is drawn in ``pyproject.toml`` (import-linter) and checked in CI; the order from the bottom
is: errors, estate, wait and secrets, checks and plan and journal, adapters (one per thing that is
operated on), connect (the seam to the outside), procedures, report, notebooks, cli.
"""

__version__ = "0.1.0"
