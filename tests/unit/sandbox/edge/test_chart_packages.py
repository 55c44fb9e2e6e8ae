"""Charts packaged in Python: the same content, the same bytes."""

import io
import os
import shutil
import tarfile

import pytest
import yaml

from azrunbook.sandbox import charts

TRAEFIK = charts.CHARTS / "traefik"


def test_times_and_modes_of_the_machine_do_not_count(tmp_path):
    """A copy with other times and modes is packaged to the same bytes."""
    copy = shutil.copytree(TRAEFIK, tmp_path / "somewhere-else")
    os.utime(copy / "values.yaml", (1, 1))
    (copy / "Chart.yaml").chmod(0o600)
    assert charts.package(copy) == charts.package(TRAEFIK)


def test_content_counts(tmp_path):
    """A changed template is another digest."""
    copy = shutil.copytree(TRAEFIK, tmp_path / "traefik")
    (copy / "templates" / "service.yaml").write_text("{}")
    assert charts.package(copy).digest != charts.package(TRAEFIK).digest


def test_the_archive_names_no_owner():
    """Members are files of nobody in particular, under the chart's name."""
    with tarfile.open(fileobj=io.BytesIO(charts.package(TRAEFIK).content)) as archive:
        members = archive.getmembers()
    assert {(m.uid, m.gid, m.mtime, m.mode) for m in members} == {(0, 0, 0, 0o644)}
    assert all(m.name.startswith("traefik/") for m in members)


def test_the_index_names_version_digest_and_place():
    """What helm needs of an entry, with a place relative to the index."""
    package = charts.package(TRAEFIK)
    [entry] = yaml.safe_load(charts.index([package]))["entries"]["traefik"]
    assert entry["version"] == "41.3.0+sandbox"
    assert entry["digest"] == package.digest
    assert entry["urls"] == ["traefik-41.3.0+sandbox.tgz"]


def test_a_folder_without_a_chart_is_refused(tmp_path):
    """There is nothing to package without Chart.yaml."""
    with pytest.raises(FileNotFoundError):
        charts.package(tmp_path)
