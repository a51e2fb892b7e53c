"""However it is installed, the command works, and a neighbour with packages of the same names is left in peace."""

from __future__ import annotations

import subprocess
import sys
import sysconfig
import venv
from dataclasses import dataclass
from pathlib import Path
from zipfile import ZipFile

import pytest

ROOT = Path(__file__).parents[2]
OURS = ("api", "engine", "migrations", "rules")
SITE_PACKAGES = f"lib/python{sys.version_info.major}.{sys.version_info.minor}/site-packages"


def run(*command: str | Path, cwd: Path) -> str:
    done = subprocess.run(command, cwd=cwd, capture_output=True, text=True, check=False, stdin=subprocess.DEVNULL)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@dataclass(frozen=True, slots=True, kw_only=True)
class Installation:
    """An environment with Tocsin and its neighbour; `home` is where our packages lie in it."""

    folder: Path
    home: Path

    def python(self, code: str) -> list[str]:
        """Runs `code` from a folder that has nothing to import and returns the lines it prints."""
        return run(self.folder / "bin/python", "-c", code, cwd=self.folder).splitlines()


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Built as for a release: the wheel comes from the source archive, not from the checkout."""
    folder = tmp_path_factory.mktemp("dist")
    run(sys.executable, "-m", "build", "--no-isolation", "--outdir", folder, ROOT, cwd=folder)
    return next(folder.glob("*.whl"))


@pytest.fixture(scope="module", params=["wheel", "folder", "editable"])
def installation(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory, wheel: Path) -> Installation:
    folder = tmp_path_factory.mktemp(request.param)
    venv.create(folder, with_pip=False)
    site_packages = folder / SITE_PACKAGES
    # The packages we need are borrowed from the running interpreter: nothing is downloaded, and its own `.pth` files,
    # such as that of an editable Tocsin, do not count in a borrowed folder.
    (site_packages / "borrowed.pth").write_text(sysconfig.get_path("purelib"), encoding="utf-8")
    what: dict[str, tuple[str | Path, ...]] = {"wheel": (wheel,), "folder": (ROOT,), "editable": ("--editable", ROOT)}
    pip = (sys.executable, "-m", "pip", "--python", folder / "bin/python", "install", "--quiet")
    offline = ("--no-index", "--no-deps", "--no-build-isolation", "--ignore-installed")
    run(*pip, *offline, *what[request.param], cwd=folder)
    for name in OURS:
        (site_packages / name).mkdir()
        (site_packages / name / "__init__.py").write_text("OWNER = 'neighbour'", encoding="utf-8")
    return Installation(folder=folder, home=ROOT if request.param == "editable" else site_packages / "tocsin_bundle")


def test_the_command_works(installation: Installation) -> None:
    assert "Usage" in run(installation.folder / "bin/tocsin", "--help", cwd=installation.folder)


def test_in_our_process_our_packages_win(installation: Installation) -> None:
    files = installation.python(
        "import sys, tocsin_boot\n"
        "sys.argv = ['tocsin', '--help']\n"
        "try: tocsin_boot.main()\n"
        "except SystemExit: pass\n"
        "import api, engine, migrations, rules\n"
        "print(api.__file__, engine.__file__, migrations.__file__, rules.__file__, sep='\\n')"
    )
    assert files[-len(OURS) :] == [str(installation.home / name / "__init__.py") for name in OURS]


def test_everywhere_else_the_neighbours_packages_win(installation: Installation) -> None:
    owners = installation.python(
        "import api, engine, migrations, rules\nprint(api.OWNER, engine.OWNER, migrations.OWNER, rules.OWNER)"
    )
    assert owners == ["neighbour neighbour neighbour neighbour"]


def test_alembic_finds_the_migrations_through_their_package(installation: Installation) -> None:
    heads = installation.python(
        "import sys, tocsin_boot\n"
        "sys.path.insert(0, str(tocsin_boot.home()))\n"
        "import migrations\n"
        "from alembic.script import ScriptDirectory\n"
        "print(*ScriptDirectory(migrations.__path__[0]).get_heads(), sep='\\n')"
    )
    assert len(heads) == 1


def test_the_wheel_has_one_module_and_one_folder(wheel: Path) -> None:
    names = {name.split("/")[0] for name in ZipFile(wheel).namelist()}
    assert {name for name in names if not name.endswith(".dist-info")} == {"tocsin_boot.py", "tocsin_bundle"}


def test_the_wheel_has_every_file_of_our_packages_and_no_other(wheel: Path) -> None:
    packed = {name.removeprefix("tocsin_bundle/") for name in ZipFile(wheel).namelist() if "tocsin_bundle/" in name}
    files = [path for name in OURS for path in (ROOT / name).rglob("*") if path.is_file()]
    assert packed == {path.relative_to(ROOT).as_posix() for path in files if "__pycache__" not in path.parts}


def test_the_wheel_has_its_licence(wheel: Path) -> None:
    archive = ZipFile(wheel)
    name = next(name for name in archive.namelist() if name.endswith(".dist-info/licenses/LICENSE"))
    assert archive.read(name) == (ROOT / "LICENSE").read_bytes()
