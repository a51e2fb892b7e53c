"""`tocsin demo`: one alert from the rule's INSERT to its resolve, with everything real but the three services told.

A service starts to fail, a real Prometheus sees it, a real engine decides, and stand-ins for Slack, PagerDuty and a mail
server print what they receive. The story waits for what the engine does, asks it by its REST API like anyone else, and
fails with the end of the engine's log when a step is not taken in time. Nothing is left when it ends.
"""

from __future__ import annotations

import os
import shutil
import sys
from pathlib import Path

from api.demo.interruption import Interrupted, Interruption, interruptible
from api.demo.scenes import Story, StoryError
from api.demo.stage import Stage
from api.demo.telling import Mood, Teller, wants_colour


def main(prometheus: Path | None = None, keep_running: bool | None = None) -> int:
    """Tells the story and returns the exit status: 0 told, 1 not, 128 + n ended by signal n.

    `prometheus` is the program to run, by default the one on PATH. `keep_running` is whether to go on after the end until
    Ctrl-C; by default only where somebody sits at a terminal.
    """
    binary = find_prometheus(prometheus)
    if binary is None:
        wanted = f"{prometheus} is no program" if prometheus else "there is no prometheus on PATH"
        print(
            f"tocsin demo: {wanted}: install Prometheus (prometheus.io/download, or your system's package)"
            " or give its path with --prometheus",
            file=sys.stderr,
        )
        return 1
    going_on = sys.stdin.isatty() and sys.stdout.isatty() if keep_running is None else keep_running
    with interruptible() as interruption:
        try:
            return _run(binary, interruption, going_on=going_on)
        except BrokenPipeError:
            # Who read the story has gone; the interpreter must not trip over the same pipe at its end.
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            return 1


def find_prometheus(given: Path | None) -> Path | None:
    """The program's absolute path, because it is started in another folder; `None` when it is none."""
    found = shutil.which(given.absolute() if given else "prometheus")
    return Path(found).absolute() if found else None


def _run(binary: Path, interruption: Interruption, *, going_on: bool) -> int:
    teller = Teller(sys.stdout, colourful=wants_colour(sys.stdout, os.environ))
    teller.say(
        teller.painted("Tocsin, on this machine only: real Prometheus, real engine, three stand-ins.", Mood.STRONG), ""
    )
    told = False
    try:
        with Stage(binary) as stage:
            story = Story(stage, teller, interruption.check)
            story.tell()
            told = True
            if going_on:
                story.go_on()
    except Interrupted as interrupted:
        teller.say("", "Ended; nothing is left running.")
        return 0 if told else interrupted.status
    except StoryError as error:
        print(f"tocsin demo: {error}", file=sys.stderr)
        return 1
    return 0
