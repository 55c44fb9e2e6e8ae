"""A base image like python:3.12-slim, made of this machine's own Python: no registry is asked.

Only copies: the interpreter, what it is linked to, a shell, and the wheels of the application, so
that ``pip install`` in the Dockerfile finds them without an index. It stands for the real base as
far as the Dockerfile needs one: paths, a shell, pip, certificates.
"""

import pathlib
import re
import shutil
import subprocess
import sys

NAME = "docker.io/library/python:3.12-slim"
_SHELL = pathlib.Path("/bin/sh")
_CERTIFICATES = "etc/ssl/certs/ca-certificates.crt"
_PIP = (
    "#!/usr/local/bin/python3\nfrom pip._internal.cli.main import main\nraise SystemExit(main())\n"
)


def fill(root, requirements):
    """Lay the base's files into a folder, with the wheels of a requirements file."""
    tag = f"python{sys.version_info.major}.{sys.version_info.minor}"
    prefix, local = pathlib.Path(sys.base_prefix), root / "usr/local"
    ignored = shutil.ignore_patterns("__pycache__", "test", "idlelib", "site-packages", "*.a")
    shutil.copytree(prefix / "lib" / tag, local / "lib" / tag, ignore=ignored, symlinks=True)
    _copy_pip(local / "lib" / tag / "site-packages")
    (local / "bin").mkdir()
    shutil.copy(prefix / "bin" / tag, local / "bin" / tag)
    for name in ("python", "python3"):
        (local / "bin" / name).symlink_to(tag)
    (local / "bin/pip").write_text(_PIP)
    (local / "bin/pip").chmod(0o755)
    for name in ("tmp", "proc", "dev", "etc/ssl/certs", "bin"):
        (root / name).mkdir(parents=True, exist_ok=True)
    (root / "tmp").chmod(0o1777)
    (root / "etc/passwd").write_text("root:x:0:0:root:/root:/bin/sh\n")
    (root / _CERTIFICATES).write_text("")
    shutil.copy(_SHELL, root / "bin/sh")
    linked = [local / "bin" / tag, _SHELL, *(prefix / "lib" / tag / "lib-dynload").glob("*.so")]
    for library in _list_libraries(linked):
        (root / library.relative_to("/").parent).mkdir(parents=True, exist_ok=True)
        shutil.copy(library, root / library.relative_to("/"))
    subprocess.run(
        [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--requirement",
         requirements, "--dest", root / "wheels"],
        check=True,
    )  # fmt: skip


def _copy_pip(target):
    import pip

    shutil.copytree(pathlib.Path(pip.__file__).parent, target / "pip")


def _list_libraries(programs):
    said = subprocess.run(["ldd", *programs], check=True, capture_output=True, text=True).stdout
    return {pathlib.Path(one) for one in re.findall(r"(?:=> |\s)(/\S+\.so[.\d]*) \(0x", said)}
