"""Images: what a build is sent, and builds through the ARM server."""

import io
import tarfile

import pytest

from azrunbook import contexts, errors, secrets


@pytest.fixture
def source(tmp_path):
    folder = tmp_path / "app"
    for name, text in {
        "Dockerfile": "FROM python:3.11\nCOPY src/ .\n",
        "src/main.py": "print('hello')\n",
        "src/__pycache__/main.pyc": "junk",
        "notes/todo.md": "no",
        "values.yaml": "a: 1\n",
    }.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return folder


def build_one(azure, source):
    told = []
    azure.registry.build(
        source, names=["app:1.0.0"], arguments={}, timeout=20, progress=told.append
    )
    return told


@pytest.mark.parametrize(
    ("ignore", "sent"),
    [
        ("", "Dockerfile notes/todo.md src/__pycache__/main.pyc src/main.py values.yaml"),
        ("**/__pycache__\nnotes\n*.yaml", ".dockerignore Dockerfile src/main.py"),
        ("# only this\n*\n!src/main.py", ".dockerignore Dockerfile src/main.py"),
        (
            "notes/*.md\n**/*.pyc\n!values.yaml",
            ".dockerignore Dockerfile src/main.py values.yaml",
        ),
        ("src\n", ".dockerignore Dockerfile notes/todo.md values.yaml"),
    ],
)
def test_the_context_leaves_out_what_dockerignore_names(source, ignore, sent):
    """Patterns mean what they mean to Docker; the last one that matches decides."""
    if ignore:
        (source / ".dockerignore").write_text(ignore)
    assert " ".join(map(str, contexts.list_files(source))) == sent


def test_the_same_content_gives_the_same_archive(source):
    """Neither times nor the order of creation nor ignored files matter; content does."""
    (source / ".dockerignore").write_text("notes\n")
    before = contexts.digest(source)
    (source / "notes" / "more.md").write_text("still no")
    (source / "src" / "main.py").touch()
    assert contexts.digest(source) == before
    (source / "src" / "main.py").write_text("print('bye')\n")
    assert contexts.digest(source) != before


def test_the_archive_holds_what_is_listed(source):
    """The packed names are the listed ones, with plain modes and no owner."""
    with tarfile.open(fileobj=io.BytesIO(contexts.pack(source))) as archive:
        found = {member.name: (member.mode, member.uid) for member in archive}
    assert list(found) == [str(path) for path in contexts.list_files(source)]
    assert found["src/main.py"] == (0o644, 0)


def test_a_build_gives_a_digest_and_is_found_again(provisioned, source):
    """The run is followed to its end; its names find it later, other names do not."""
    told = []
    digest = provisioned.registry.build(
        source,
        names=["app:1.0.0", "app:1.0.0-abc"],
        arguments={"APP_VERSION": "1.0.0"},
        timeout=20,
        progress=told.append,
    )
    assert digest == "sha256:" + "ab" * 32
    assert provisioned.registry.find_digest("app:1.0.0-abc") == digest
    assert provisioned.registry.find_digest("app:2.0.0") == ""
    assert "with {'APP_VERSION': '1.0.0'}" in told


def test_a_failed_build_shows_the_end_of_its_log(provisioned, source):
    """The reason stands in the error; the signed address of the upload does not."""
    (source / "Dockerfile").write_text("FROM FAIL\n")
    with pytest.raises(errors.StepError, match=r"ended as Failed.*\n.*\n.*\n.*says FAIL") as caught:
        build_one(provisioned, source)
    assert "sig=" not in str(caught.value)
    assert provisioned.registry.find_digest("app:1.0.0") == ""


def test_without_a_registry_there_is_no_build(azure):
    """Looking before provisioning finds nothing instead of failing."""
    assert azure.registry.find() is None
    assert azure.registry.find_digest("app:1.0.0") == ""


def test_the_signed_address_is_registered_as_a_secret(provisioned, source, monkeypatch):
    """Whoever logs it later logs a mask."""
    registered = []
    monkeypatch.setattr(secrets, "register", lambda secret: registered.append(secret) or secret)
    build_one(provisioned, source)
    assert any("sig" in one for one in registered)
