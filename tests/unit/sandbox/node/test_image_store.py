"""Building images into the store and finding them again."""

import io
import tarfile

import pytest

from azrunbook.sandbox.node import contexts, image, images

NAME = "registry.example/app:1"


def make_tar(**files):
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w:gz") as archive:
        for name, text in files.items():
            member = tarfile.TarInfo(name.replace("__", "/").replace("_dot_", "."))
            member.size = len(text)
            archive.addfile(member, io.BytesIO(text.encode()))
    return out.getvalue()


@pytest.fixture
def store(tmp_path):
    return images.ImageStore(tmp_path / "store")


async def build(store, text, name=NAME, log=None, **files):
    lines = [] if log is None else log
    context = make_tar(**(files or {"main_dot_py": "print(1)"}))
    return await store.build(context, text, [name], lines.append)


async def test_the_same_input_gives_the_same_digest_from_the_store(store):
    """The second build does nothing."""
    text = 'FROM python:3.12\nCOPY . /app\nCMD ["python"]\n'
    log = []
    first = await build(store, text)
    assert await build(store, text, log=log) == first
    assert any("taken from the store" in line for line in log)
    assert await build(store, text, main_dot_py="print(2)") != first


async def test_stages_copy_from_each_other(store):
    """Only the last stage is the image, with its own configuration."""
    text = (
        "FROM python:3.12-slim AS builder\nWORKDIR /b\nCOPY main.py ./sub/\n"
        "FROM python:3.12-slim\nARG V=1\nENV V=${V} PATH=/venv/bin:$PATH\nWORKDIR /app\n"
        'COPY --from=builder /b/sub .\nUSER 1000\nENTRYPOINT ["python"]\nCMD ["main.py"]\n'
    )
    await build(store, text)
    built = store.resolve(NAME)
    assert (built.root / "app/main.py").read_text() == "print(1)"
    assert not (built.root / "b").exists()
    assert built.argv == ("python", "main.py")
    assert built.env["PATH"].startswith("/venv/bin:/usr/local/sbin")
    assert (built.env["V"], built.user, built.workdir) == ("1", "1000", "/app")


async def test_build_arguments_win_over_defaults(store):
    """And an argument that differs makes another image."""
    text = "FROM python:3.12\nARG V=1\nENV V=$V\n"
    context = make_tar(a="x")
    first = await store.build(context, text, [NAME], lambda _: None)
    second = await store.build(context, text, [NAME], lambda _: None, arguments={"V": "2"})
    assert first != second
    assert store.resolve(NAME).env["V"] == "2"


async def test_skipped_lines_are_logged(store):
    """What a build does not do is said."""
    log = []
    await build(store, "FROM debian\nRUN apt-get update && mkdir -p /data\n", log=log)
    assert "  skipped: apt-get update" in log
    assert (store.resolve(NAME).root / "data").is_dir()


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("FROM x\nCOPY nothing.txt /a\n", "not found"),
        ("FROM x\nRUN pip install -r r.txt\n", "COPY it first"),
        ("FROM x\nRUN pip install 'no such==name'\n", "uv pip install failed"),
        ("RUN x\nFROM y\n", "starts with FROM"),
    ],
)
async def test_a_wrong_build_says_why(store, text, message):
    """And leaves no image behind."""
    with pytest.raises(images.BuildError, match=message):
        await build(store, text)
    with pytest.raises(images.ImagePullError):
        store.resolve(NAME)


async def test_a_context_that_is_no_tar_is_refused(store):
    """It does not become an empty image."""
    with pytest.raises(images.BuildError, match="not a readable tar"):
        await store.build(b"hello", "FROM x\nCMD a\n", [NAME], lambda _: None)


async def test_a_context_cannot_write_outside(store, tmp_path):
    """A member with dots in its name is refused."""
    outside = {"../../evil": "x"}
    with pytest.raises(images.BuildError, match="not a readable tar"):
        await build(store, "FROM x\nCOPY . .\n", **outside)
    assert not list(tmp_path.glob("**/evil"))


@pytest.mark.parametrize(
    ("path", "expected"),
    [("src/main.py", False), ("src/other.py", True), ("README.md", True), ("a/b.pyc", True)],
)
def test_ignore_rules_let_the_last_match_decide(path, expected):
    """An exception after the rule brings a file back."""
    rules = contexts.compile_ignore("# all\n*\n!src/main.py\n**/*.pyc\n")
    assert rules.matches(path) is expected


@pytest.mark.parametrize(
    ("text", "full"),
    [
        ("traefik:v3", "docker.io/library/traefik:v3"),
        ("me/app", "docker.io/me/app:latest"),
        ("r.io:5000/a/b:1", "r.io:5000/a/b:1"),
        ("localhost/a", "localhost/a:latest"),
        ("a@sha256:" + "0" * 64, "docker.io/library/a@sha256:" + "0" * 64),
    ],
)
def test_references_get_their_defaults(text, full):
    """As Docker completes them."""
    assert str(image.parse_reference(text)) == full


@pytest.mark.parametrize("text", ["", "A/b", "a:b:c", "a b", "x@sha256:1"])
def test_what_is_no_reference_is_an_invalid_image_name(text):
    """With the kubelet's reason."""
    with pytest.raises(image.ImagePullError) as caught:
        image.parse_reference(text)
    assert caught.value.reason == "InvalidImageName"
