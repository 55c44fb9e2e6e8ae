"""Build contexts are unpacked alike by Pythons with and without the tar filters of 3.11.4."""

import io
import tarfile

import pytest

from azrunbook.sandbox.node import contexts


@pytest.fixture(params=["with filters", "without filters"])
def _python(request, monkeypatch):
    if request.param == "without filters":
        monkeypatch.delattr(tarfile, "data_filter")


def pack(*members):
    """A tar of (name, content or the target of a link)."""
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w:gz") as archive:
        for name, content, kind in members:
            info = tarfile.TarInfo(name)
            info.type = kind
            info.linkname = content if kind == tarfile.SYMTYPE else ""
            info.size = len(content) if kind == tarfile.REGTYPE else 0
            archive.addfile(info, io.BytesIO(content.encode()))
    return packed.getvalue()


@pytest.mark.usefixtures("_python")
def test_files_and_folders_are_unpacked(tmp_path):
    """As they were packed."""
    content = pack(("src", "", tarfile.DIRTYPE), ("src/main.py", "x = 1", tarfile.REGTYPE))
    contexts.unpack(content, tmp_path)
    assert (tmp_path / "src/main.py").read_text() == "x = 1"


@pytest.mark.usefixtures("_python")
@pytest.mark.parametrize(
    "member",
    [("../out", "x", tarfile.REGTYPE), ("link", "/etc/passwd", tarfile.SYMTYPE)],
)
def test_what_would_leave_the_folder_is_refused(tmp_path, member):
    """A path upwards and a link to somewhere else; nothing is written outside."""
    folder = tmp_path / "context"
    folder.mkdir()
    with pytest.raises(contexts.ContextError):
        contexts.unpack(pack(member), folder)
    assert list(tmp_path.iterdir()) == [folder]
