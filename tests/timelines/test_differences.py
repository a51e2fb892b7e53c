"""Where the two disagree, a section of docs/differences.md says so and names the scenario; and they really do."""

from __future__ import annotations

import re

import pytest

from tests.architecture.sources import ROOT
from tests.peers.alertmanager_server import AlertmanagerServer
from tests.timelines.comparing import mismatches
from tests.timelines.conftest import Played
from tests.timelines.generating import Setting, alertmanager_file
from tests.timelines.language import Scenario
from tests.timelines.observing import REAL, RealTime
from tests.timelines.scripts import SCENARIOS

PAGE = (ROOT / "docs/differences.md").read_text("utf-8")
SECTIONS = dict(re.findall(r"^## (.+)\n((?:(?!^## ).*\n)*)", PAGE, flags=re.MULTILINE))
LISTED = re.compile(r"^Timelines: (.+(?:\n.+)*)", flags=re.MULTILINE)
DIFFERENT = [one for one in SCENARIOS if one.alertmanager is not None]
TOLD = [one for one in DIFFERENT if one.alertmanager is not None and one.alertmanager.expect is not None]
REFUSED = [one for one in DIFFERENT if one not in TOLD]


def named(scenario: Scenario) -> str:
    return scenario.name


def listed(section: str) -> set[str]:
    """The scenarios that a section names, each between quotation marks."""
    return {
        " ".join(name.split()) for text in LISTED.findall(SECTIONS[section]) for name in re.findall(r'"([^"]+)"', text)
    }


def test_every_disagreement_is_listed_in_the_section_it_names_and_no_other() -> None:
    said = {section: listed(section) for section in SECTIONS if listed(section)}
    meant: dict[str, set[str]] = {}
    for scenario in DIFFERENT:
        assert scenario.alertmanager is not None
        meant.setdefault(scenario.alertmanager.section, set()).add(scenario.name)
    assert said == meant


@pytest.mark.peer("alertmanager")
@pytest.mark.timeout(400)
@pytest.mark.parametrize("scenario", TOLD, ids=named)
def test_alertmanager_really_tells_something_else(scenario: Scenario, played: Played) -> None:
    assert mismatches(scenario.expect, played.alertmanager[scenario].received, REAL)


@pytest.mark.peer("alertmanager")
@pytest.mark.parametrize("scenario", REFUSED, ids=named)
def test_alertmanager_really_refuses_the_configuration(scenario: Scenario) -> None:
    clock = RealTime()
    setting = Setting(begin=clock.begin, second=clock.second, hooks="http://127.0.0.1:1")
    with pytest.raises(RuntimeError, match="bad matcher format"):
        AlertmanagerServer(alertmanager_file(setting, {scenario: scenario.configuration})).__enter__()
