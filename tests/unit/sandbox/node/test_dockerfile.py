"""Reading a Dockerfile, without building it."""

import pytest

from azrunbook.sandbox.node import dockerfile, requirements


def test_stages_comments_and_continuations_are_read():
    """Names, bases and joined lines."""
    parsed = dockerfile.parse(
        "# syntax=docker/dockerfile:1\nARG V=3.12\nFROM python:${V} AS Builder\n"
        'ENV A=1 \\\n    # not this\n    B=\'two words\'\n\nFROM builder\nCMD ["a", "b"]\n'
    )
    assert [stage.name for stage in parsed.stages] == ["builder", "1"]
    assert parsed.stages[0].instructions[0].pairs() == [("A", "1"), ("B", "two words")]
    assert parsed.stages[1].instructions[0].command() == ("a", "b")


def test_a_heredoc_belongs_to_its_run():
    """Its lines are commands, and what follows is read on."""
    parsed = dockerfile.parse("FROM x\nRUN <<EOF\nmkdir /a\npip install b\nEOF\nUSER 1\n")
    run, user = parsed.stages[0].instructions
    assert dockerfile.split_commands(run.text) == [["mkdir", "/a"], ["pip", "install", "b"]]
    assert user.text == "1"


@pytest.mark.parametrize("text", ["", "# nothing\n", "RUN a\nFROM b\n"])
def test_what_is_not_a_dockerfile_is_refused(text):
    """The message says what a Dockerfile starts with."""
    with pytest.raises(dockerfile.DockerfileError, match="FROM"):
        dockerfile.parse(text)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("$A-${A}", "1-1"),
        ("${B:-two}", "two"),
        ("${A:+set}${B:+set}", "set"),
        (r"\$A", "$A"),
        ("/x:$PATH", "/x:/bin"),
    ],
)
def test_variables_are_substituted(text, expected):
    """As a builder does it."""
    assert dockerfile.substitute(text, {"A": "1", "PATH": "/bin"}) == expected


@pytest.mark.parametrize(
    ("line", "files", "packages", "prefix"),
    [
        ("pip install --no-cache-dir -r requirements.txt", ("requirements.txt",), (), "/usr/local"),
        ("pip3 install --prefix=/install -r r.txt flask", ("r.txt",), ("flask",), "/install"),
        ("/venv/bin/pip install --upgrade pip wheel", (), (), "/venv"),
        ("python -m pip install --index-url https://x/simple a==1", (), ("a==1",), "/usr/local"),
        ("uv pip install --system -r a.txt -r b.txt", ("a.txt", "b.txt"), (), "/usr/local"),
        ("pip install --user a", (), ("a",), "/root/.local"),
    ],
)
def test_pip_install_is_understood(line, files, packages, prefix):
    """Files, names and where to."""
    install = requirements.parse_install(line.split())
    assert (install.files, install.packages, install.prefix) == (files, packages, prefix)


@pytest.mark.parametrize("line", ["apt-get install curl", "pip download x", "python setup.py"])
def test_other_commands_are_not_pip_install(line):
    """They are somebody else's."""
    assert requirements.parse_install(line.split()) is None
