"""Records of other Pythons and packages, rescued in environments that are made for it: ``make rescue``.

Pythons come from this machine or through uv, packages from PyPI: a minute or two, and a network.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

pd = pytest.importorskip("pandas")
pytest.importorskip("numpy")

DATA = Path(__file__).parents[1] / "specimens" / "failures" / "data"
SECRET = b"the secret of the specimens: 32+"

if os.environ.get("RESCUE"):  # `make rescue` sets it

    @pytest.fixture(autouse=True)
    def _secret(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        (tmp_path / "secret").write_bytes(SECRET)
        monkeypatch.setenv("IPYCHECKPOINT_SECRET_FILE", str(tmp_path / "secret"))
        monkeypatch.chdir(tmp_path)

    def rescue(name: str, *options: str) -> tuple[dict[str, object], str]:
        """What loads afterwards, and what the command said."""
        command = [sys.executable, "-m", "ipycheckpoint", "rescue", str(DATA / f"{name}.ckpt"), "--output", "new.ckpt"]
        done = subprocess.run([*command, *options], capture_output=True, text=True, timeout=600)
        assert done.returncode == 0, done.stderr
        from ipycheckpoint.surfaces.files import load

        return load("new.ckpt"), done.stderr

    @pytest.mark.rescue
    @pytest.mark.parametrize("tool", ["uv", "pip"])
    def test_a_frame_of_pandas_1_5_is_one_of_today(tool: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
        if tool == "pip":  # an interpreter without a neighbour called uv
            from ipycheckpoint.cache import rescue as rescuing
            from ipycheckpoint.cache import savefile, workshop

            work = tmp_path / "work"
            work.mkdir()
            record = savefile.read(DATA / "pandas1.5-numpy1.23.ckpt")
            version = record.environment.python
            there = workshop.NewEnvironment(work / "environment", version, print, uv="")
            values = {result.name: result.value for result in rescuing.rescue(record, there, work)}
        else:
            values, _ = rescue("pandas1.5-numpy1.23")
        frame = values["frame"]
        assert frame.index.equals(pd.Index([3, 5, 7], name="key"))
        assert frame["count"].tolist() == [0, 1, 2]
        assert frame["name"].tolist() == ["a", None, "c"]
        assert frame["when"].tolist() == list(pd.date_range("2020-01-01", periods=3, tz="UTC"))
        assert frame["kind"].cat.categories.tolist() == ["x", "y"]
        assert values["in_a_dict"]["series"].to_dict() == {1: 1.5, 2: 2.5}
        assert values["array"].tolist() == [[0.0, 1.0, 2.0], [3.0, 4.0, 5.0]]

    @pytest.mark.rescue
    def test_a_table_can_be_had_as_parquet(tmp_path: Path) -> None:
        pytest.importorskip("pyarrow")
        rescue("pandas1.5-numpy1.23", "--as", "parquet", "--name", "frame")
        assert pd.read_parquet(tmp_path / "new" / "frame.parquet")["count"].tolist() == [0, 1, 2]

    @pytest.mark.rescue
    def test_streams_of_python_3_9_are_loaded_by_python_3_9() -> None:
        values, _ = rescue("python3.9-pandas1.1")
        assert values["frame"].to_dict() == {"a": {10: 1.5, 20: 2.5}, "b": {10: "x", 20: "y"}}
        assert values["info"].Creator == "SPEC"
        assert values["info"].type_name == "binhex.FInfo"

    @pytest.mark.rescue
    def test_a_missing_package_is_installed_there_and_what_it_made_is_readable_here() -> None:
        values, said = rescue("missing-package")
        assert (values["version"].type_name, values["version"]._minor) == ("semver.version.Version", 2)
        assert "installing semver==3.1.1" in said

    @pytest.mark.rescue
    def test_the_command_of_how_to_load_does_what_it_says(tmp_path: Path) -> None:
        from ipycheckpoint.cache.savefile import read

        command = read(DATA / "pandas1.5-numpy1.23.ckpt")["frame"].how_to_load()
        beside = Path(sys.executable).parent
        environ = {**os.environ, "PATH": f"{beside}{os.pathsep}{os.environ['PATH']}"}
        command = command.replace("ipycheckpoint rescue", f"{sys.executable} -m ipycheckpoint rescue --output new.ckpt")
        done = subprocess.run(command, shell=True, env=environ, capture_output=True, text=True, timeout=600)
        assert done.returncode == 0, done.stderr
        assert read("new.ckpt")["frame"]["count"].tolist() == [0, 1, 2]
