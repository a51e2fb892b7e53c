"""The demo's way in: which Prometheus is run, and what is said when there is none."""

from __future__ import annotations

from pathlib import Path

import pytest

from api.demo.story import find_prometheus, main


def program(folder: Path, text: str, name: str = "prometheus") -> Path:
    path = folder / name
    path.write_text(f"#!/bin/sh\n{text}\n")
    path.chmod(0o755)
    return path


def test_without_a_prometheus_one_line_says_what_to_install(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    assert main() == 1
    said = capsys.readouterr().err
    assert said.startswith("tocsin demo: there is no prometheus on PATH: install Prometheus")
    assert said.count("\n") == 1


def test_a_path_that_is_no_program_is_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(tmp_path / "absent") == 1
    assert f"{tmp_path / 'absent'} is no program" in capsys.readouterr().err


def test_a_prometheus_that_ends_at_once_is_quoted(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    assert main(program(tmp_path, "echo the port is taken; exit 2"), keep_running=False) == 1
    assert "prometheus ended with status 2; its last words:\nthe port is taken" in capfd.readouterr().err


def test_the_program_on_path_is_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    assert find_prometheus(None) is None
    assert program(tmp_path, "exit 0") == find_prometheus(None)


def test_a_relative_path_is_made_absolute(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert program(tmp_path, "exit 0") == find_prometheus(Path("./prometheus"))
