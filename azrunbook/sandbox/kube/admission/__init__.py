"""Admission: what may be written where, decided with the other objects of the cluster in view.

Law: reads the registry, writes nothing; a new object may be changed in place before it is stored.
"""

from azrunbook.sandbox.kube.admission.chain import Admission

__all__ = ["Admission"]
