"""What goes on the Python path of a container; see ``sitecustomize``."""
