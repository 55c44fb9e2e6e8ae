"""Command lines, paths, variables and log lines of containers."""

import datetime as dt
from pathlib import Path

import pytest

from azrunbook.sandbox.node import (
    credentials,
    environment,
    fields,
    image,
    launch,
    logs,
    paths,
    preparing,
    python,
    traefik,
)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("/etc/app/a.txt", "/v/a.txt"),
        ("--config=/etc/app", "--config=/v"),
        ("/etc/application", "/etc/application"),
        ("http://host/etc/app/x", "http://host/etc/app/x"),
        ("/etc/app:/etc/app/b", "/v:/v/b"),
        ("cat /etc/app/a '/etc/app/b'", "cat /v/a '/v/b'"),
        ("relative/etc/app", "relative/etc/app"),
    ],
)
def test_mount_paths_are_rewritten(text, expected):
    """At the borders of a path, and nowhere else."""
    assert paths.PathMap({"/etc/app": Path("/v")}, None).translate(text) == expected


def test_paths_of_the_image_are_rewritten_if_they_exist(tmp_path):
    """The image's tree is over the machine's, a mount is over both."""
    (tmp_path / "app").mkdir()
    mapping = paths.PathMap({"/app/data": Path("/v")}, tmp_path)
    text = mapping.translate("/app:/usr/bin:/app/data/x")
    assert text == f"{tmp_path}/app:/usr/bin:/v/x"


@pytest.mark.parametrize(
    ("container", "expected"),
    [
        ({}, ["entry", "cmd"]),
        ({"args": ["a", "$(X)"]}, ["entry", "a", "1"]),
        ({"command": ["c"]}, ["c"]),
        ({"command": ["c"], "args": ["a"]}, ["c", "a"]),
    ],
)
def test_command_and_arguments_replace_those_of_the_image(container, expected):
    """The table of the Kubernetes documentation."""
    made = image.Image("r", "d", entrypoint=("entry",), command=("cmd",))
    assert launch.choose_argv(made, container, {"X": "1"}) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [("$(A)/$(B)", "1/$(B)"), ("$$(A)", "$(A)"), ("$A", "$A")],
)
def test_references_in_values_are_expanded(text, expected):
    """Unknown names stay as they are."""
    assert environment.expand(text, {"A": "1"}) == expected


def test_entry_points_move_to_the_address_of_the_pod():
    """Ports only; other arguments and other hosts stay."""
    given = [
        "traefik",
        "--entryPoints.web.address=:8000/tcp",
        "--entrypoints.traefik.address=0.0.0.0:8080",
        "--entryPoints.own.address=127.9.9.9:1",
        "--ping=true",
    ]
    assert traefik.move_entry_points(given, "127.1.2.3") == [
        "traefik",
        "--entryPoints.web.address=127.1.2.3:8000/tcp",
        "--entrypoints.traefik.address=127.1.2.3:8080",
        "--entryPoints.own.address=127.9.9.9:1",
        "--ping=true",
    ]


def test_the_entry_points_that_traefik_adds_are_given_explicitly():
    """Its default one, and the internal one when something uses it."""
    moved = traefik.move_entry_points(["traefik", "--ping"], "127.1.2.3")
    assert "--entryPoints.http.address=127.1.2.3:80" in moved
    assert "--entryPoints.traefik.address=127.1.2.3:8080" in moved


@pytest.mark.parametrize(
    ("tag", "is_satisfied"),
    [
        ("latest", True),
        ("v3", True),
        ("v3.7", True),
        ("v3.7.11", True),
        ("3.5", True),
        ("v2.11", False),
        ("v3.99", False),
        ("nonsense", False),
    ],
)
def test_a_traefik_tag_needs_the_same_major_and_no_newer_minor(tag, is_satisfied):
    """What the binary cannot stand for is not found, as in a registry."""
    assert traefik.is_satisfied(tag, (3, 7, 15)) is is_satisfied


POD = {
    "metadata": {"name": "n", "labels": {"b": "2", "a": "1"}, "annotations": {"k/x": "v"}},
    "spec": {"nodeName": "node"},
    "status": {"podIP": "127.1.1.1"},
}


@pytest.mark.parametrize(
    ("path", "text"),
    [
        ("metadata.name", "n"),
        ("metadata.labels", 'a="1"\nb="2"'),
        ("metadata.annotations['k/x']", "v"),
        ("spec.nodeName", "node"),
        ("status.podIP", "127.1.1.1"),
    ],
)
def test_fields_of_the_downward_api(path, text):
    """Names, maps and single entries."""
    assert fields.resolve_field(POD, path) == text


def test_an_unknown_field_is_refused():
    """With the name of the field."""
    with pytest.raises(fields.FieldError, match=r"spec\.secret"):
        fields.resolve_field(POD, "spec.secret")


@pytest.mark.parametrize(
    ("user", "context", "is_refused"),
    [
        ("1000:1000", {"runAsNonRoot": True}, False),
        ("", {"runAsNonRoot": True}, True),
        ("app", {"runAsNonRoot": True}, True),
        ("", {"runAsNonRoot": True, "runAsUser": 5}, False),
        ("1000", {"runAsNonRoot": True, "runAsUser": 0}, True),
        ("root", {}, False),
    ],
)
def test_run_as_non_root_is_checked(user, context, is_refused):
    """As the kubelet checks it, though the user is not changed to."""
    pod, made = {"spec": {"securityContext": context}}, image.Image("r", "d", user=user)
    if is_refused:
        with pytest.raises(preparing.ConfigError):
            preparing.check_user(pod, {}, made)
    else:
        preparing.check_user(pod, {}, made)


LINES = [
    b"2026-01-01T00:00:01.000000Z stdout F one",
    b"2026-01-01T00:00:02.000000Z stdout P tw",
    b"2026-01-01T00:00:03.000000Z stdout F o",
]


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        (logs.LogQuery(), b"one\ntwo\n"),
        (logs.LogQuery(tail_lines=0), b""),
        (logs.LogQuery(tail_lines=1), b"o\n"),
        (logs.LogQuery(since=dt.datetime(2026, 1, 1, 0, 0, 3, tzinfo=dt.UTC)), b"o\n"),
    ],
)
def test_log_lines_are_selected(query, expected):
    """Tail and since count lines of the file; a part has no newline."""
    assert b"".join(logs.select_lines(LINES, query)) == expected


async def test_a_log_is_limited_in_bytes(tmp_path):
    """Exactly so many, then the end."""
    log = logs.LogFile(tmp_path / "0.log")
    log.append(b"hello\nworld")
    log.close()
    query = logs.LogQuery(limit_bytes=8)
    pieces = [piece async for piece in logs.read_log(log.path, None, query)]
    assert b"".join(pieces) == b"hello\nwo"


async def test_a_log_that_is_cut_keeps_its_newest_part(tmp_path, monkeypatch):
    """Readers, also those that follow, see what was written after the cut."""
    monkeypatch.setattr(logs, "_LARGEST_FILE_BYTES", 200)
    log = logs.LogFile(tmp_path / "0.log")
    stream = logs.read_log(log.path, log, logs.LogQuery(follow=True))
    log.append(b"0\n")
    seen = await anext(stream)
    for number in range(1, 40):
        log.append(b"%d\n" % number)
        seen += await anext(stream)
    log.close()
    assert seen.split() == [b"%d" % number for number in range(40)]
    assert sum(path.stat().st_size for path in tmp_path.iterdir()) < 500


def test_secrets_are_written_for_the_owner_only(tmp_path):
    """Also over an older file."""
    path = tmp_path / "token"
    path.write_text("old")
    credentials.write_private(path, b"new")
    assert path.stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize(
    ("line", "is_script"),
    [
        ("#!/x/python3.12", True),
        ("#!/usr/bin/env python3", True),
        ("#!/bin/sh", False),
        ("", False),
    ],
)
def test_python_scripts_are_recognised(tmp_path, line, is_script):
    """By their first line."""
    (tmp_path / "s").write_text(line + "\n")
    assert python.is_script(tmp_path / "s") is is_script


def test_no_mount_hides_what_is_real_already():
    """A sandbox in /tmp and a volume on /tmp: the container's own files keep their paths."""
    volume, own = Path("/tmp/box/volume"), Path("/tmp/box/pod")  # noqa: S108 - never touched
    mapping = paths.PathMap({"/tmp": volume}, None, [own])  # noqa: S108
    text = "/tmp/box/pod/kubeconfig /tmp/box/volume/file /tmp/other"  # noqa: S108
    assert mapping.translate(text) == (
        "/tmp/box/pod/kubeconfig /tmp/box/volume/file /tmp/box/volume/other"  # noqa: S108
    )


async def test_a_full_disk_loses_output_and_nothing_else(tmp_path, caplog):
    """The container goes on; the sandbox's own log says once what is lost."""
    (tmp_path / "0.log").symlink_to("/dev/full")
    log = logs.LogFile(tmp_path / "0.log")
    log.append(b"one\n")
    log.append(b"two\n")
    log.close()
    assert [record.getMessage() for record in caplog.records] == [
        f"output of a container is lost, {tmp_path}/0.log: [Errno 28] No space left on device"
    ]


@pytest.mark.parametrize(
    ("argv", "real", "more"),
    [
        (["tar", "cf", "-", "/etc/a"], ["cf", "-", "/v/1"], [r"--transform=s|^/\?v/1|etc/a|S"]),
        (["tar", "cf", "-", "a"], ["cf", "-", "a"], []),
        (["cat", "/etc/a"], ["/v/1"], []),
    ],
)
def test_an_archive_has_the_names_that_were_asked_for(argv, real, more):
    """Only tar is told, and only about paths that were translated."""
    assert paths.keep_names(argv, real) == more
