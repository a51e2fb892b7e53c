"""The options and arguments that commands share."""

from __future__ import annotations

from typing import Annotated, Any, Final

import typer
from typer.core import TyperGroup

from api.commands import completion, failures
from api.commands.output import Format

EXIT_CODES: Final = "Exit codes: 0 done; 1 failed: refused, not found, nobody answers; 2 told something wrong."

Output = Annotated[Format, typer.Option("--output", "-o", help="How to write the answer.")]
Url = Annotated[
    str | None,
    typer.Option("--url", metavar="URL", help="The Tocsin to ask.  [default: TOCSIN_URL, else http://127.0.0.1:9099]"),
]
Limit = Annotated[int | None, typer.Option("--limit", min=1, help="At most so many; all by default.")]
DryRun = Annotated[bool, typer.Option("--dry-run", help="Change nothing; say what would change.")]
Yes = Annotated[bool, typer.Option("--yes", "-y", help="Do not ask whether it is meant so.")]
Files = Annotated[
    list[str], typer.Option("--file", "-f", metavar="FILE", help="YAML or JSON, - for stdin; may be given again.")
]
Key = Annotated[str, typer.Argument(show_default=False, autocompletion=completion.keys)]
Keys = Annotated[list[str], typer.Argument(show_default=False, autocompletion=completion.keys)]
Rule = Annotated[str, typer.Argument(metavar="RULE", help="The rule's id.", autocompletion=completion.rules)]
Matchers = Annotated[
    list[str],
    typer.Argument(metavar="MATCHER...", help='Such as team=db or instance=~"web.*"; a bare word is an alertname.'),
]


class Telling(TyperGroup):
    """A group of commands that ends with a line and an exit code for what goes wrong."""

    def invoke(self, ctx: Any) -> Any:
        with failures.told():
            return super().invoke(ctx)


def group(about: str) -> typer.Typer:
    """A noun's group of commands."""
    return typer.Typer(cls=Telling, help=about, epilog=EXIT_CODES, no_args_is_help=True)
