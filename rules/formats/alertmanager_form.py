"""One integration of a receiver as it is filled in: its fields, and what stands in for those it leaves out.

Source: alertmanager/config/config.go (GlobalConfig) and prometheus/common/config (HTTPClientConfig). What nobody looks at is
told at its line, so nothing a receiver says is dropped in silence.
"""

from __future__ import annotations

import base64
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final
from urllib.parse import urlsplit

from rules.channels import ChannelKind
from rules.formats.alertmanager_fields import HTTP_CONFIG, TLS_CONFIG, Integration
from rules.formats.reading import Reader
from rules.formats.yaml_text import Kind, Node
from rules.problems import Severity

SECRET: Final = "<secret>"  # noqa: S105 - it stands in the place of one
"""What Alertmanager shows, and takes, in the place of a secret: that which is stored stays."""
_WAYS_IN: Final = ("authorization", "basic_auth", "oauth2")
_USUAL: Final = frozenset({"follow_redirects", "enable_http2"})
"""What only says what Alertmanager does anyway, where it is true."""


@dataclass(slots=True, kw_only=True)
class Address:
    """Where an integration sends to; the kind may be another than the file's, as for a webhook that is Slack's."""

    kind: ChannelKind
    url: str
    settings: dict[str, str] = field(default_factory=dict)


@dataclass(slots=True, kw_only=True)
class Form:
    """One integration as it is filled in; `common` is the file's global section."""

    reader: Reader
    node: Node
    label: str
    fields: Mapping[str, Node]
    common: Mapping[str, Node]
    integration: Integration
    used: set[str] = field(default_factory=lambda: {"send_resolved"})

    def text(self, name: str, common: str = "") -> str:
        """The field's text, or that of the global field `common`; empty where neither is given."""
        self.used.add(name)
        found = self.reader.text(self.fields.get(name), name, self.label)
        return found or (self.reader.text(self.common.get(common), common, "global: ") if common else "")

    def secret(self, name: str, common: str = "") -> str:
        """The same for a field whose value may stand in a file: a reference to it then."""
        own, own_file = self.text(name), self.text(f"{name}_file")
        if own and own_file:
            self.tell(f"{name}_file", f"{name} and {name}_file are both given; keep one of them", Severity.ERROR)
        if own or own_file:
            return _or_file(own, own_file)
        return _or_file(self.text(name, common), self.text(f"{name}_file", f"{common}_file") if common else "")

    def web(self, name: str, text: str, common: str = "") -> str:
        """The text checked to be an http(s) URL, a reference, or nothing; the field it came in by is told."""
        fine = (
            text in ("", SECRET)
            or text.startswith("file:")
            or (urlsplit(text).scheme in ("http", "https") and urlsplit(text).netloc)
        )
        if fine or "{{" in text:
            return text
        node = self.fields.get(name) or self.common.get(common) or self.node
        self.reader.tell(node, name, f"{self.label}{name} is no URL; give one such as https://host/path")
        return text

    def flag(self, name: str, common: str = "", *, default: bool) -> bool:
        """Whether the field is true; `default` where neither it nor the global one is given."""
        self.used.add(name)
        for node in (self.fields.get(name), self.common.get(common)):
            if node is not None and not node.is_null:
                return self.reader.flag(node, name, self.label)
        return default

    def need(self, name: str, found: str, common: str = "") -> str:
        """What was found, told as an error where it is nothing."""
        if not found:
            also = f" here and no {common} in global" if common else ""
            self.tell(name, f"there is no {name}{also}; give it", Severity.ERROR)
        return found

    def tell(self, name: str, message: str, severity: Severity = Severity.WARNING) -> None:
        self.reader.tell(self.fields.get(name, self.node), name, f"{self.label}{message}", severity)

    def left_over(self) -> None:
        """Tell of every field that nobody has looked at."""
        for name in self.fields:
            if name not in self.used:
                self.tell(name, f"{name} is not carried over")

    def http(self) -> dict[str, str]:
        """What a channel can take of an http_config: how to authenticate, and a certificate authority's file."""
        node, label = self._http_node()
        if node is None or node.is_null:
            return {}
        fields = self.reader.mapping(node, f"{label}http_config", HTTP_CONFIG)
        self._one_way_in(node, fields, label)
        for name, given in fields.items():
            if name in _USUAL and self.reader.flag(given, name, label):
                continue
            if name not in ("authorization", "basic_auth", "bearer_token", "tls_config"):
                message = f"{label}http_config: {name} is not carried over"
                self.reader.tell(given, name, message, Severity.WARNING)
        authorization = self._authorization(fields, label)
        return {"authorization": authorization, "ca_file": self.certificate(fields.get("tls_config"), label)}

    def certificate(self, node: Node | None, label: str) -> str:
        """The file of the certificate authority; the rest of a tls_config is told of."""
        if node is None or node.is_null:
            return ""
        fields = self.reader.mapping(node, f"{label}tls_config", TLS_CONFIG)
        for name, given in fields.items():
            if name != "ca_file" and not (name == "insecure_skip_verify" and not self.reader.flag(given, name, label)):
                self.reader.tell(given, name, f"{label}tls_config: {name} is not carried over", Severity.WARNING)
        return self.reader.text(fields.get("ca_file"), "ca_file", label)

    def _http_node(self) -> tuple[Node | None, str]:
        self.used.add("http_config")
        own = self.fields.get("http_config")
        return (own, self.label) if own is not None else (self.common.get("http_config"), "global: ")

    def _one_way_in(self, node: Node, fields: Mapping[str, Node], label: str) -> None:
        ways = [name for name in (*_WAYS_IN, "bearer_token", "bearer_token_file") if name in fields]
        if len(ways) > 1:
            message = f"{label}http_config has {' and '.join(ways)}; keep one of them"
            self.reader.tell(fields[ways[1]] if ways else node, ways[1], message)

    def _authorization(self, fields: Mapping[str, Node], label: str) -> str:
        said = {name: self._texts(fields[name], name) for name in ("authorization", "basic_auth") if name in fields}
        if token := self.reader.text(fields.get("bearer_token"), "bearer_token", label):
            return f"Bearer {token}"
        given = said.get("authorization", {})
        if "credentials" in given:
            return f"{given.get('type') or 'Bearer'} {given['credentials']}"
        pair = said.get("basic_auth", {})
        if "password" in pair:
            return "Basic " + base64.b64encode(f"{pair.get('username', '')}:{pair['password']}".encode()).decode()
        for name in said:
            message = (
                f"{label}http_config: {name} from a file is not carried over; set the channel's settings.authorization"
            )
            self.reader.tell(fields[name], name, message, Severity.WARNING)
        return ""

    def _texts(self, node: Node, name: str) -> dict[str, str]:
        if node.kind is not Kind.MAPPING:
            return {}
        return {key: text for key, text in self.reader.texts(node, name, self.label).items() if text}


def _or_file(text: str, file: str) -> str:
    return text or (f"file:{file}" if file else "")
