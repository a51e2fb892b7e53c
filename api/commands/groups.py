"""Every noun's group of commands, in the order the help lists them; the commands themselves are made when one is asked for.

Making some fifty commands takes as long as the rest of `tocsin --help` put together, and nearly all runs need one.
"""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module
from typing import Any, Final

import typer

from api.commands.nouns import DATASOURCE, INHIBIT_RULE, NOUNS, TIME_INTERVAL
from api.commands.options import EXIT_CODES, Telling

ABOUT: Final = {
    "rules": "Rules: list, declare, change, evaluate, and take old versions back.",
    "thresholds": "Thresholds of a rule: list and declare them, and see which governs what.",
    "channels": "Channels: list and declare them, and send a test.",
    "routes": "Routes: list and declare them, draw the tree, and try it.",
    "inhibit-rules": "Inhibit rules: list, declare and delete them.",
    "time-intervals": "Time intervals: list, declare and delete them.",
    "datasources": "Datasources: list, declare and delete them.",
    "silences": "Silences: ask for quiet, see what it covers, and end it.",
    "alerts": "Alerts: what is pending or fires, and quiet for one of them.",
    "notifications": "Notifications: who was told what, and how it came out.",
}
_PLAIN: Final = {noun.command: noun for noun in (INHIBIT_RULE, TIME_INTERVAL, DATASOURCE)}
"""Nouns with no commands but those that every declared noun has."""


def mount(app: typer.Typer) -> None:
    """Add the groups to the command line."""
    for name in NOUNS:
        later = typer.Typer(cls=_later(name), help=ABOUT[name], epilog=EXIT_CODES, no_args_is_help=True)
        app.add_typer(later, name=name)


def _commands(name: str) -> dict[str, Any]:
    """The commands of a noun, made now."""
    from typer.main import get_group

    from api.commands.definitions import commands

    app = commands(_PLAIN[name]) if name in _PLAIN else import_module(f"api.commands.{name}").app
    return dict(get_group(app).commands)


def _later(name: str) -> type[Telling]:
    """A group that makes its commands when it is looked into."""
    return type("Later", (_Later,), {"make": staticmethod(lambda: _commands(name))})


class _Later(Telling):
    make: Callable[[], dict[str, Any]]

    def get_command(self, ctx: Any, cmd_name: str) -> Any:
        self.commands = self.commands or self.make()
        return super().get_command(ctx, cmd_name)

    def list_commands(self, ctx: Any) -> list[str]:
        self.commands = self.commands or self.make()
        return super().list_commands(ctx)
