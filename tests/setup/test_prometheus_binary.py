"""`make demo` finds a Prometheus, or fetches the distribution's without changing the system."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.setup.machine import Machine, fresh_machine

# Stands in for apt-get: notes the call; the system's lists know no package, fresh ones do, as on a new container.
APT = r"""
echo "$*" >>"${0%/*}/apt.log"
case "$*" in
*Dir::State::Lists=*download*) : >prometheus_2_amd64.deb ;;
*update*) ;;
*) echo "E: Unable to locate package prometheus" >&2 && exit 100 ;;
esac
"""
UNPACK = r"""mkdir -p "$3/usr/bin" && cp "${0%/*}/a-prometheus" "$3/usr/bin/prometheus" """
FOLDER = ".demo/prometheus"


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    """Without Prometheus, with a distribution that has one."""
    machine = fresh_machine(tmp_path)
    machine.provide("apt-get", APT)
    machine.provide("dpkg-deb", UNPACK)
    machine.provide("a-prometheus", "exit 0")
    return machine


def fetches(machine: Machine) -> list[str]:
    log = machine.programs / "apt.log"
    return log.read_text(encoding="utf-8").splitlines() if log.exists() else []


def test_the_one_on_path_is_taken(machine: Machine) -> None:
    found = machine.provide("prometheus", "exit 0")
    done = machine.run("prometheus.sh", FOLDER)
    assert (done.stdout, done.stderr, fetches(machine)) == (f"{found}\n", "", [])


def test_without_one_the_distributions_package_is_unpacked(machine: Machine) -> None:
    done = machine.run("prometheus.sh", FOLDER)
    assert (done.returncode, done.stdout) == (0, f"{FOLDER}/usr/bin/prometheus\n")
    assert (machine.checkout / FOLDER / "usr/bin/prometheus").exists()
    assert [path.name for path in (machine.checkout / ".demo").iterdir()] == ["prometheus"]


def test_apt_keeps_all_it_writes_in_our_folder_and_installs_nothing(machine: Machine) -> None:
    machine.run("prometheus.sh", FOLDER)
    calls = fetches(machine)
    ours = f"-o Dir::Cache={machine.checkout}/{FOLDER}."
    assert [call.startswith(f"-qq {ours}") for call in calls] == [True] * 3
    assert [call.split()[-2:] for call in calls if "install" in call] == []


def test_the_second_time_the_unpacked_one_is_taken(machine: Machine) -> None:
    machine.run("prometheus.sh", FOLDER)
    before = fetches(machine)
    done = machine.run("prometheus.sh", FOLDER)
    assert (done.stdout, done.stderr, fetches(machine)) == (f"{FOLDER}/usr/bin/prometheus\n", "", before)


def test_one_that_does_not_run_is_fetched_anew(machine: Machine) -> None:
    broken = machine.checkout / FOLDER / "usr/bin/prometheus"
    broken.parent.mkdir(parents=True)
    broken.touch()
    assert machine.run("prometheus.sh", FOLDER).returncode == 0
    assert broken.read_text(encoding="utf-8") != ""


def refused(machine: Machine) -> str:
    """The one message of a run that must fail and must leave nothing behind."""
    done = machine.run("prometheus.sh", FOLDER)
    assert (done.returncode, done.stdout) == (1, "")
    folder = machine.checkout / ".demo"
    assert not folder.is_dir() or list(folder.iterdir()) == []
    return done.stderr.splitlines()[-1]


@pytest.mark.parametrize("tool", ["apt-get", "dpkg-deb"])
def test_a_system_without_debians_tools_is_told_what_to_install(machine: Machine, tool: str) -> None:
    (machine.programs / tool).unlink()
    assert "install Prometheus (prometheus.io/download" in refused(machine)


def test_without_a_network_it_says_so_and_leaves_nothing(machine: Machine) -> None:
    machine.provide("apt-get", 'echo "E: Could not resolve host" >&2; exit 100')
    assert refused(machine).startswith("tocsin: the package 'prometheus' could not be fetched")


def test_a_package_that_does_not_unpack_leaves_nothing(machine: Machine) -> None:
    machine.provide("dpkg-deb", "exit 2")
    assert refused(machine).startswith("tocsin: the package 'prometheus' could not be unpacked")


def test_a_binary_for_another_machine_is_refused(machine: Machine) -> None:
    machine.provide("a-prometheus", "exit 126")
    assert refused(machine).startswith("tocsin: the distribution's Prometheus does not run here")


def test_a_folder_that_cannot_be_written_is_named(machine: Machine) -> None:
    (machine.checkout / ".demo").touch()
    assert refused(machine).startswith("tocsin: cannot write .demo/prometheus.")
