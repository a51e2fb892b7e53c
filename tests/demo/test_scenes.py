"""The ways a story can go wrong; how it goes right is for the real peers to show."""

from __future__ import annotations

from collections.abc import Iterator
from io import StringIO
from pathlib import Path

import pytest

from api.demo.interruption import Interrupted, Interruption
from api.demo.scenes import INSERT_RULE, Story, StoryError
from api.demo.stage import Stage
from api.demo.telling import Teller


class Time:
    """Time that passes only by sleeping."""

    now = 0.0

    def __call__(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.now += seconds


@pytest.fixture
def out() -> StringIO:
    return StringIO()


@pytest.fixture
def program(tmp_path: Path) -> Path:
    """Stands where Prometheus should: runs, and answers nothing."""
    path = tmp_path / "prometheus"
    path.write_text("#!/bin/sh\necho no answer today\nexec sleep 60\n")
    path.chmod(0o755)
    return path


@pytest.fixture
def stage(program: Path) -> Iterator[Stage]:
    with Stage(program) as stage:
        yield stage


def story(stage: Stage, out: StringIO, interruption: Interruption | None = None) -> Story:
    time = Time()
    check = (interruption or Interruption()).check
    return Story(stage, Teller(out, colourful=False, clock=time), check, clock=time, sleep=time.sleep)


def test_what_does_not_happen_in_time_ends_the_story_with_its_name(stage: Stage, out: StringIO) -> None:
    with pytest.raises(
        StoryError, match="waited 30 s in vain for Prometheus to see the service\nthe end of prometheus"
    ):
        story(stage, out).tell()


def test_a_child_that_ends_ends_the_story_with_its_last_words(stage: Stage, program: Path, out: StringIO) -> None:
    program.write_text("#!/bin/sh\necho first\necho disk full\nexit 3\n")
    stage.start_prometheus()
    while stage.children[0].ended is None:
        pass
    with pytest.raises(StoryError, match="prometheus ended with status 3; its last words:\nfirst\ndisk full"):
        story(stage, out).go_on()


def test_the_story_stops_where_a_signal_came(stage: Stage, out: StringIO) -> None:
    interruption = Interruption()
    interruption.remember(15)
    with pytest.raises(Interrupted):
        story(stage, out, interruption).tell()


def test_after_its_end_the_service_fails_and_recovers_by_turns(stage: Stage, out: StringIO) -> None:
    time, seen = Time(), set()

    def check() -> None:
        seen.add((time.now // 30, stage.service.error_percent))
        if time.now > 119:
            raise Interrupted(2)

    with pytest.raises(Interrupted):
        Story(stage, Teller(out, colourful=False, clock=time), check, clock=time, sleep=time.sleep).go_on()
    assert {(0, 0.8), (1, 27.4), (2, 0.8), (3, 27.4)} <= seen
    assert out.getvalue().count("fails again") == 2


def test_what_the_stand_ins_hear_is_told_at_once(stage: Stage, out: StringIO) -> None:
    stage.heard.append("slack      [FIRING:1] High Error Rate")
    interruption = Interruption()
    interruption.remember(2)
    with pytest.raises(Interrupted):
        story(stage, out, interruption).go_on()
    assert "slack      [FIRING:1] High Error Rate\n" in out.getvalue()


def test_the_rule_is_one_statement_whose_annotation_is_a_template() -> None:
    assert INSERT_RULE.count(";") == 1
    assert "{{ $value }} % errors in {{ $labels.service }}" in INSERT_RULE
