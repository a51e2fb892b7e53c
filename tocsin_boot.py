"""The `tocsin` command's first module, and our only name at the top level of an installation.

`rules`, `engine`, `api` and `migrations` are names other distributions use as well. An installed wheel therefore keeps
ours in one folder, `tocsin_bundle`, which only this module puts on the import path, ahead of everything else.
"""

import gc
import sys
from pathlib import Path

YOUNG = 500_000
"""Objects more than there were, after which garbage is looked for; `serve` sets its own once it has started."""


def home() -> Path:
    """The folder our packages are imported from: `tocsin_bundle` beside this file, in a checkout the checkout itself.

    Symbolic links stay unresolved: an installer may link single files to a cache where no bundle lies beside them.
    """
    here = Path(__file__).absolute().parent
    bundle = here / "tocsin_bundle"
    return bundle if bundle.is_dir() else here


def main() -> None:
    """Run the command line, with our packages found before any others of the same names."""
    sys.path.insert(0, str(home()))
    # Python's own 700 are made several times over by each of the thousand modules, and they all stay.
    gc.set_threshold(YOUNG, 10, 10)
    from api.cli import main as command  # noqa: PLC0415 - it can only be found from here on.

    command()


if __name__ == "__main__":
    main()
