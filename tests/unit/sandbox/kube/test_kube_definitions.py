"""Reading the definitions of Kubernetes."""

import subprocess
import sys


def test_reading_the_definitions_imports_no_validator():
    """The package that holds them would compile grammars for longer than a cluster starts."""
    script = (
        "import sys\n"
        "from azrunbook.sandbox.kube import definitions\n"
        "assert ('v1', 'Pod') in definitions.by_kind()\n"
        "print('jsonschema' in sys.modules)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True, timeout=60
    )
    assert done.stdout == "False\n"
