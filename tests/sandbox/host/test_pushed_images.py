"""Layers of a pushed image become a tree, or a reason why not."""

import json
import sys

import pushing
import pytest

from azrunbook.sandbox.node import image, images, pushed, python

SITES = f"usr/local/lib/{python.TAG}/site-packages"
OTHER = sys.version_info.minor + 1
NAME = "crdemo.azurecr.io/app:1"


@pytest.fixture
def take(tmp_path):
    """Take an image of these layers into a store of its own, and resolve its name."""
    store = images.ImageStore(tmp_path / "store")

    async def take(*layers, **config):
        blobs = {pushing.digest(one): one for one in map(pushing.make_layer, layers)}
        settings = json.dumps({"config": config}).encode()
        manifest = pushing.describe(settings, *blobs.values())
        blobs[pushing.digest(settings)] = settings
        for name, content in blobs.items():
            (tmp_path / name).write_bytes(content)
        await store.take(
            [NAME], pushing.digest(manifest), json.loads(manifest), lambda name: tmp_path / name
        )
        return store.resolve(NAME)

    return take


async def test_layers_lie_over_one_another(take):
    """A later layer replaces and removes; the configuration is the image's."""
    found = await take(
        {f"{SITES}/one.py": "1", "app/old/a": "a", "app/gone": "x", "app/kept": "k"},
        {"app/.wh.gone": "", "app/old/.wh..wh..opq": "", "app/old/b": "b", "app/kept": "new"},
        Env=["A=1=2"], Entrypoint=["python"], Cmd=["-V"], WorkingDir="/app", User="1000",
    )  # fmt: skip
    files = {path.name for path in (found.root / "app").rglob("*") if path.is_file()}
    assert files == {"b", "kept"}
    assert (found.root / "app/kept").read_text() == "new"
    assert (found.env["A"], found.argv) == ("1=2", ("python", "-V"))
    assert (found.workdir, found.user, found.sites) == ("/app", "1000", (found.root / SITES,))


async def test_a_link_does_not_lead_out_of_the_tree(take, tmp_path):
    """What a layer writes through a link stays in the image, wherever the link points."""
    found = await take(
        {f"{SITES}/one.py": "", "out=": str(tmp_path), "up=": "../../../.."},
        {"out/evil": "x", "up/evil2": "y", "../../evil3": "z"},
    )
    assert not list(tmp_path.glob("evil*"))
    assert (found.root / str(tmp_path).lstrip("/") / "evil").read_text() == "x"
    assert {"evil2", "evil3"} <= {path.name for path in found.root.iterdir()}


async def test_programs_and_libraries_of_the_base_are_the_machine_s(take):
    """Its Python is the sandbox's; only Python's packages stay of what the base brought."""
    found = await take(
        {f"{SITES}/one.py": "", "usr/bin/env": "elf", "lib=": "usr/lib", "usr/lib/libc.so": "elf",
         "usr/lib/python3/dist-packages/two.py": "", "usr/local/bin/python3.9": "elf"},
    )  # fmt: skip
    files = {path.relative_to(found.root).as_posix() for path in found.root.rglob("*.*")}
    assert {f"{SITES}/one.py", "usr/lib/python3/dist-packages/two.py"} <= files
    assert "usr/lib/libc.so" not in files
    assert not (found.root / "usr/bin/env").exists()
    assert (found.root / "usr/local/bin/python3.9").resolve() == python.find_interpreter().resolve()


@pytest.mark.parametrize(
    ("files", "why"),
    [
        ({"app/server": "elf"}, "pushed without Python packages"),
        (
            {f"usr/lib/python3.{OTHER}/site-packages/a.cpython-3{OTHER}-x.so": "elf"},
            f"compiled for Python 3.{OTHER}",
        ),
    ],
)
async def test_what_cannot_run_here_says_why(take, files, why):
    """The node that pulls it is told, as of an image that cannot be had."""
    with pytest.raises(image.ImagePullError, match=why):
        await take(files)


def test_a_layer_of_another_kind_is_refused(tmp_path):
    """Neither tar nor gzip: the reason says what to do."""
    (tmp_path / "blob").write_bytes(b'{"config": {}}')
    part = {"digest": "blob"}
    with pytest.raises(pushed.NotRunnableError, match="gzip compression"):
        pushed.unpack({"config": part, "layers": [part]}, tmp_path.joinpath, tmp_path / "root")
