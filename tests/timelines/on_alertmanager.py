"""The stage that is the real Alertmanager."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from rules.matchers import Matcher
from tests.peers.alertmanager_server import AlertmanagerServer
from tests.timelines.generating import Setting, alertmanager_file
from tests.timelines.language import Configuration, Scenario
from tests.timelines.playing import Posted, Quiet, rfc3339


@dataclass(slots=True)
class OnAlertmanager:
    """Plays on this server, whose file was made from `parts`."""

    server: AlertmanagerServer
    setting: Setting
    parts: dict[Scenario, Configuration]
    _silences: dict[str, str] = field(default_factory=dict)

    def configure(self, parts: Mapping[Scenario, Configuration]) -> None:
        """A new file, and a reload."""
        self.parts |= parts
        self.server.reload(alertmanager_file(self.setting, self.parts))

    def post(self, alerts: Sequence[Posted]) -> None:
        """As Prometheus would."""
        self.server.post(alerts)

    def silence(self, wanted: Sequence[Quiet]) -> None:
        """One request for each."""
        for one in wanted:
            content = {
                "matchers": [_matcher(each) for each in one.matchers],
                "startsAt": rfc3339(one.starts_at or datetime.now(UTC)),
                "endsAt": rfc3339(one.ends_at),
                "createdBy": "ana",
                "comment": one.name,
            }
            known = {"id": self._silences[one.name]} if one.name in self._silences else {}
            self._silences[one.name] = self.server.silence({**content, **known})

    def expire(self, names: Sequence[str]) -> None:
        """One request for each."""
        for name in names:
            self.server.expire(self._silences[name])

    def restart(self) -> None:
        """Alerts are forgotten, silences and what was told are not."""
        self.server.stop()
        self.server.start()


def _matcher(one: Matcher) -> dict[str, Any]:
    kind = {"isRegex": one.operator.is_regex, "isEqual": not one.operator.is_negative}
    return {"name": one.name, "value": one.value, **kind}
