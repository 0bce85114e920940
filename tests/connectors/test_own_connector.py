"""The example of an own connector keeps the contract, and is found once its package is installed."""

from __future__ import annotations

import importlib.util
import json
import os
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from grounded.protocols import Connector
from grounded.testing.connectors import ConnectorContract

ROOT = Path(__file__).parents[2]
EXAMPLE = ROOT / "examples" / "own_connector"
RELEASES = {
    "1.0": {"day": "2026-01-31", "notes": "The first release."},
    "1.1": {"day": "2026-03-01", "notes": "Kettles can be ordered by post."},
}


class TestContract(ConnectorContract):
    @pytest.fixture(autouse=True)
    def _file(self, tmp_path: Path) -> None:
        self.path = tmp_path / "releases.json"
        self.put(RELEASES)

    def put(self, releases: object) -> None:
        self.path.write_text(json.dumps(releases))

    def make(self) -> Connector:
        spec = importlib.util.spec_from_file_location("acme_releases", EXAMPLE / "acme_releases" / "__init__.py")
        assert spec is not None
        assert spec.loader is not None
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
        connector: Connector = module.ReleasesConnector(f"releases://{self.path}")
        return connector

    def edit(self) -> None:
        self.put({"1.1": {**RELEASES["1.1"], "notes": "Withdrawn."}, "1.2": RELEASES["1.0"]})

    def spoil(self) -> None:
        self.put({**RELEASES, "1.2": {"day": "2026-04-01"}})

    def hide(self) -> None:
        self.path.unlink()


def test_it_is_found_once_it_is_installed(tmp_path: Path) -> None:
    pytest.importorskip("hatchling", reason="the build backend is not installed")
    source, dist, target = tmp_path / "source", tmp_path / "dist", tmp_path / "target"
    shutil.copytree(EXAMPLE, source)
    build = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(dist)]
    subprocess.run(build, cwd=source, check=True, capture_output=True)
    (wheel,) = dist.glob("*.whl")
    zipfile.ZipFile(wheel).extractall(target)  # what installing a pure wheel is
    paths = [str(target), *(str(ROOT / each) for each in ("", "connectors", "templates"))]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(paths)}
    (tmp_path / "releases.json").write_text(json.dumps(RELEASES))
    command = [sys.executable, "-m", "grounded", "ingest", f"releases://{tmp_path}/releases.json", "-o", "product=Tea"]
    done = subprocess.run([*command, "--json"], env=environment, cwd=tmp_path, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["documents_added"] == 2
    wrong = [*command[:-1], "colour=red"]
    done = subprocess.run(wrong, env=environment, cwd=tmp_path, capture_output=True, text=True)
    assert (done.returncode, "product" in done.stderr) == (2, True)
