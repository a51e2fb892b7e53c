"""`make venv`: finds a Python, makes .venv once, repairs what was interrupted, and touches nothing that is not ours."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.setup.machine import Machine, fresh_machine

# Stands in for Python: notes what it is asked to install; `-m venv` puts a copy of it into the new environment.
PYTHON = r"""
case "$*" in
*version_info*ensurepip* | *ensurepip*version_info*) [ ! -e "$0.without-venv" ] && [ ! -e "$0.old" ] ;;
*version_info*) [ ! -e "$0.old" ] ;;
*"-m venv "*) mkdir -p "$3/bin" && cp "$0" "$3/bin/python" && echo "$0" >"$3/made-with" ;;
*"-m pip "*) echo "$*" >>pip.log && [ ! -e offline ] ;;
*"import pip, tocsin_boot"*) [ ! -e broken ] ;;
*) exit 64 ;;
esac
"""
STEPS = ["making .venv with", "installing the packages of requirements/dev.txt", "installing tocsin from this folder"]


@pytest.fixture
def bare(tmp_path: Path) -> Machine:
    return fresh_machine(tmp_path)


@pytest.fixture
def machine(bare: Machine) -> Machine:
    bare.provide("python3", PYTHON)
    return bare


def steps(output: str) -> list[str]:
    """Which of the three steps were announced, in order."""
    return [step for line in output.splitlines() for step in STEPS if step in line]


def installed(machine: Machine) -> list[str]:
    """What pip was asked for so far, one line per call."""
    return (machine.checkout / "pip.log").read_text(encoding="utf-8").splitlines()


def test_a_fresh_machine_gets_an_environment_with_checked_packages_and_this_folder(machine: Machine) -> None:
    done = machine.run("venv.sh", "dev")
    assert (done.returncode, steps(done.stdout), done.stderr) == (0, STEPS, "")
    assert "--require-hashes -r requirements/build.txt -r requirements/dev.txt" in installed(machine)[0]
    assert "--no-deps --no-build-isolation --editable ." in installed(machine)[1]


def test_the_second_time_nothing_is_done_or_said(machine: Machine) -> None:
    machine.run("venv.sh", "dev")
    done = machine.run("venv.sh", "dev")
    assert (done.returncode, done.stdout, done.stderr, len(installed(machine))) == (0, "", "", 2)


def test_who_can_develop_can_run_the_demo(machine: Machine) -> None:
    machine.run("venv.sh", "dev")
    assert machine.run("venv.sh", "runtime").stdout == ""


def test_who_ran_the_demo_gets_the_rest_on_top(machine: Machine) -> None:
    machine.run("venv.sh", "runtime")
    assert steps(machine.run("venv.sh", "dev").stdout) == STEPS[1:]


def test_changed_requirements_make_it_anew(machine: Machine) -> None:
    machine.run("venv.sh", "dev")
    with (machine.checkout / "requirements/dev.txt").open("a", encoding="utf-8") as requirements:
        requirements.write("one-more==1\n")
    assert steps(machine.run("venv.sh", "dev").stdout) == STEPS
    assert machine.run("venv.sh", "dev").stdout == ""


def test_a_changed_pyproject_only_installs_this_folder_again(machine: Machine) -> None:
    machine.run("venv.sh", "dev")
    (machine.checkout / "pyproject.toml").write_text("[project]\n", encoding="utf-8")
    assert steps(machine.run("venv.sh", "dev").stdout) == STEPS[2:]
    assert machine.run("venv.sh", "dev").stdout == ""


def test_a_moved_checkout_gets_a_new_environment(machine: Machine, tmp_path: Path) -> None:
    machine.run("venv.sh", "dev")
    moved = Machine(checkout=machine.checkout.rename(tmp_path / "moved"), programs=machine.programs)
    assert steps(moved.run("venv.sh", "dev").stdout) == STEPS


def test_an_interpreter_that_was_replaced_makes_it_anew(machine: Machine) -> None:
    machine.run("venv.sh", "dev")
    (machine.checkout / "broken").touch()
    assert steps(machine.run("venv.sh", "dev").stdout) == STEPS


@pytest.mark.parametrize("left_over", ["bin", "lib/python3/site-packages/half"])
def test_an_interrupted_one_is_made_anew(machine: Machine, left_over: str) -> None:
    (machine.checkout / ".venv" / left_over).mkdir(parents=True)
    (machine.checkout / ".venv/.tocsin-made").touch()
    assert steps(machine.run("venv.sh", "dev").stdout) == STEPS
    assert not (machine.checkout / ".venv/lib").exists()


def test_packages_that_do_not_install_are_tried_again_next_time(machine: Machine) -> None:
    (machine.checkout / "offline").touch()
    failed = machine.run("venv.sh", "dev")
    assert (failed.returncode, "is the package index reachable?" in failed.stderr) == (1, True)
    (machine.checkout / "offline").unlink()
    assert steps(machine.run("venv.sh", "dev").stdout) == STEPS


def test_an_environment_of_somebody_else_stays_as_it_is(machine: Machine) -> None:
    theirs = machine.checkout / ".venv/bin/activate"
    theirs.parent.mkdir(parents=True)
    theirs.touch()
    done = machine.run("venv.sh", "dev")
    assert (done.returncode, "VENV=build/venv" in done.stderr) == (1, True)
    assert [path for path in theirs.parents[1].rglob("*") if path.is_file()] == [theirs]


def test_a_place_that_cannot_be_written_is_named(machine: Machine) -> None:
    (machine.checkout / "file").touch()
    done = machine.run("venv.sh", "dev", "file/venv")
    assert (done.returncode, done.stderr.startswith("tocsin: cannot write file/venv")) == (1, True)


def test_the_newest_suitable_python_is_taken(machine: Machine) -> None:
    machine.provide("python3.14", "exit 127  # As a version manager's, where that version is not switched on.")
    chosen = machine.provide("python3.12", PYTHON)
    machine.run("venv.sh", "dev")
    assert (machine.checkout / ".venv/made-with").read_text(encoding="utf-8").strip() == str(chosen)


def test_a_python_that_was_asked_for_is_taken_or_refused_but_not_exchanged(machine: Machine) -> None:
    done = machine.run("venv.sh", "dev", PYTHON="python3.99")
    assert (done.returncode, done.stderr.startswith("tocsin: PYTHON=python3.99 is no Python 3.11")) == (1, True)


@pytest.mark.parametrize(
    ("lack", "apt", "said"),
    [
        pytest.param("without-venv", True, "run 'sudo apt-get install python3-venv'", id="no venv module, apt"),
        pytest.param("old", True, "run 'sudo apt-get install python3-venv'", id="old Python, apt"),
        pytest.param("old", False, "install Python 3.11 or newer", id="old Python, no apt"),
    ],
)
def test_who_is_not_root_is_told_what_to_install(machine: Machine, lack: str, apt: bool, said: str) -> None:
    machine.be_root(root=False)
    (machine.programs / f"python3.{lack}").touch()
    if apt:
        machine.provide("apt-get", "exit 99")
    done = machine.run("venv.sh", "dev")
    assert (done.returncode, said in done.stderr, len(done.stderr.splitlines())) == (1, True, 1)


def test_root_gets_the_missing_venv_module_installed_and_is_told(machine: Machine) -> None:
    machine.be_root(root=True)
    (machine.programs / "python3.without-venv").touch()
    machine.provide("apt-get", 'echo "apt-get $*" >>apt.log; rm -f "${0%/*}/python3.without-venv"')
    done = machine.run("venv.sh", "dev")
    assert (done.returncode, steps(done.stdout)) == (0, STEPS)
    assert "installing the package python3-venv with apt-get" in done.stderr
    assert "python3-venv" in (machine.checkout / "apt.log").read_text(encoding="utf-8")


def test_a_distribution_whose_python_is_too_old_is_told_of(bare: Machine) -> None:
    bare.be_root(root=True)
    bare.provide("apt-get", "exit 0")
    done = bare.run("venv.sh", "dev")
    assert (done.returncode, "older than Python 3.11" in done.stderr) == (1, True)


def test_a_wrong_call_is_told_the_right_one(bare: Machine) -> None:
    done = bare.run("venv.sh", "everything")
    assert (done.returncode, done.stderr) == (1, "tocsin: usage: venv.sh runtime|dev [FOLDER]\n")
