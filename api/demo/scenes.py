"""The scenes of the demo in their order: each waits for what the engine does, and tells it when it has happened."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any, Final

from api.demo.engine_client import run_sql
from api.demo.sample_service import HEALTHY_PERCENT
from api.demo.stage import INSTANCE, Stage
from api.demo.telling import Mood, Teller

RULE: Final = "alert_rule_high_error_rate"
ALERTNAME: Final = "High Error Rate"
INSERT_RULE: Final = f"""\
INSERT INTO alert_rules (id, name, metric_name, condition, threshold, severity,
                         notification_channels, for_seconds, annotations)
VALUES ('{RULE}', '{ALERTNAME}', 'error_rate', '>', 10.0, 'critical',
        '["slack", "pagerduty", "email"]', 4,
        '{{"summary": "{{{{ $value }}}} % errors in {{{{ $labels.service }}}}"}}');"""
HURRY: Final = "UPDATE routes SET group_wait_seconds = 2, group_interval_seconds = 4 WHERE id = 'root';"
RAISE_THRESHOLD: Final = f"UPDATE alert_rules SET threshold = 50 WHERE id = '{RULE}';"

FAILING_PERCENT: Final = 27.4
FAILS_AT: Final = 8.0
"""Seconds after the engine's start."""
RECOVERS_AFTER: Final = 10.0
"""Seconds after the last channel has been told."""
ENCORE: Final = 30.0
"""Seconds the service is well, and seconds it fails, by turns, while the demo goes on."""
POLL: Final = 0.1
LOG_LINES: Final = 15


class StoryError(Exception):
    """The story cannot be told: what did not happen, and what the process in question said last."""


class Story:
    """The steps in their order, each told when it has happened; `check` raises when the user wants to stop."""

    def __init__(
        self,
        stage: Stage,
        teller: Teller,
        check: Callable[[], None],
        *,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._stage, self._teller, self._check = stage, teller, check
        self._clock, self._sleep = clock, sleep

    def tell(self) -> None:
        self._start()
        self._insert_the_rule()
        self._fail()
        self._recover()

    def go_on(self) -> None:
        """The service fails and recovers by turns until the user has had enough."""
        self._teller.say("", f"Still running: {INSTANCE} fails every minute; try the curl line. Ctrl-C ends.")
        while True:
            self._rest(ENCORE)
            self._let_errors_be(FAILING_PERCENT, "fails again", Mood.BAD)
            self._rest(ENCORE)
            self._let_errors_be(HEALTHY_PERCENT, "is well again", Mood.GOOD)

    def _start(self) -> None:
        stage, tell = self._stage, self._teller.tell
        stage.start_prometheus()
        self._wait_for("Prometheus to see the service", stage.scraped, within=30)
        tell("prometheus", f"scrapes {INSTANCE} every second: {stage.prometheus_url}", Mood.QUIET)
        self._teller.start()
        stage.start_engine()
        self._wait_for("the engine to be ready", stage.engine.ready, within=20)
        tell("tocsin", f"serves {stage.engine.base} with an empty database", Mood.OURS)

    def _insert_the_rule(self) -> None:
        engine, tell = self._stage.engine, self._teller.tell
        for statement in (HURRY, INSERT_RULE):
            run_sql(self._stage.database, statement)
            tell("sql", statement, Mood.OURS)
        self._wait_for("the rule to be evaluated", lambda: engine.rule_health(RULE) == "ok", within=15)
        tell("rule", f"in force and healthy: error_rate is {self._stage.service.error_percent}, nobody is told")

    def _fail(self) -> None:
        self._rest(FAILS_AT - self._teller.seconds)
        self._let_errors_be(FAILING_PERCENT, "starts to fail", Mood.BAD)
        alert = self._wait_for_state("pending", within=15)
        self._teller.tell("pending", f"{ALERTNAME} on {alert['labels']['instance']}; it has to last 4 s", Mood.WARNING)
        alert = self._wait_for_state("firing", within=15)
        self._teller.tell("FIRING", f"value {float(alert['value']):g}, threshold 10", Mood.BAD)
        self._wait_until_told("FIRING")
        self._teller.tell("told", "all three channels. To silence it now, or to raise its threshold:")
        self._teller.say(*self._commands())
        self._rest(RECOVERS_AFTER)

    def _recover(self) -> None:
        self._let_errors_be(HEALTHY_PERCENT, "recovers", Mood.GOOD)
        self._wait_for_state("", within=15)
        self._teller.tell("resolved", f"{ALERTNAME} on {INSTANCE}", Mood.GOOD)
        self._wait_until_told("RESOLVED")
        self._teller.tell("told", "all three channels that it is over; the incident is closed.")

    def _commands(self) -> list[str]:
        by_rest = self._stage.engine.silence_command(ALERTNAME)
        by_sql = f'sqlite3 {self._stage.database} \\\n  "{RAISE_THRESHOLD}"'
        lines = [*by_rest.splitlines(), *by_sql.splitlines()]
        return ["", *(self._teller.painted(line, Mood.STRONG) for line in lines), ""]

    def _let_errors_be(self, percent: float, words: str, mood: Mood) -> None:
        before = self._stage.service.error_percent
        self._stage.service.error_percent = percent
        self._teller.tell("service", f"{INSTANCE} {words}: error_rate {before} → {percent}", mood)

    def _wait_for_state(self, state: str, *, within: float) -> dict[str, Any]:
        """The alert once it stands there; the empty state is that it is over."""
        seen: dict[str, Any] = {}

        def reached() -> bool:
            alert = self._stage.engine.alert(RULE)
            if alert is None or alert.get("state", "") != state:
                return False
            seen.update(alert)
            return True

        self._wait_for(f"the alert to be {state or 'resolved'}", reached, within=within)
        return seen

    def _wait_until_told(self, status: str) -> None:
        def all_told() -> bool:
            self._pass_on()
            return len(self._stage.told(status)) == 3

        self._wait_for(f"all three channels to be told {status}", all_told, within=20)
        self._pass_on()

    def _rest(self, seconds: float) -> None:
        until = self._clock() + seconds
        while self._clock() < until:
            self._pass_on()
            self._breathe()

    def _wait_for(self, what: str, happened: Callable[[], bool], *, within: float) -> None:
        until = self._clock() + within
        while not happened():
            if self._clock() > until:
                raise StoryError(f"waited {within:g} s in vain for {what}\n{self._last_words()}")
            self._breathe()

    def _breathe(self) -> None:
        self._check()
        ended = next((child for child in self._stage.children if child.ended is not None), None)
        if ended is not None:
            said = "\n".join(ended.last_words(LOG_LINES))
            raise StoryError(f"{ended.log.stem} ended with status {ended.ended}; its last words:\n{said}")
        self._sleep(POLL)

    def _last_words(self) -> str:
        child = self._stage.children[-1]
        return "\n".join([f"the end of {child.log.name}:", *child.last_words(LOG_LINES)])

    def _pass_on(self) -> None:
        """Tells what the stand-ins have heard: the service's name, then what came."""
        while self._stage.heard:
            channel, _, text = self._stage.heard.popleft().partition(" ")
            self._teller.tell(channel, text.strip(), Mood.GOOD if "esolved" in text or "RESOLVED" in text else Mood.BAD)
