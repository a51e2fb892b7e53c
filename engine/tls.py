"""TLS to a datasource as its row has it, in the words of Prometheus' `tls_config`; what cannot be used is a ValueError.

Without an authority of its own a datasource is trusted as the system trusts it. With one, only that one counts, as in
Prometheus. No message repeats a key.
"""

from __future__ import annotations

import ssl
import tempfile
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from requests.adapters import DEFAULT_CA_BUNDLE_PATH

NAMES: Final = frozenset(
    {
        *("ca", "ca_file", "cert", "cert_file", "key", "key_file"),
        *("server_name", "insecure_skip_verify", "min_version", "max_version"),
    }
)
"""What `tls` of a datasource may hold."""
TEXTS: Final = ("ca", "cert", "key")
"""The entries that are PEM texts; with `_file` behind them they are the path of a file that holds one."""
CA_LIMIT: Final = 4 << 20
"""Bytes of a file with authorities; a whole system's have a quarter of a megabyte."""

_SWITCH: Final = {"true": True, "yes": True, "false": False, "no": False, "": False}
_VERSIONS: Final = {"TLS12": ssl.TLSVersion.TLSv1_2, "TLS13": ssl.TLSVersion.TLSv1_3}


@dataclass(frozen=True, slots=True, kw_only=True)
class Tls:
    """The settings in clear; `ca`, `cert` and `key` are PEM texts, empty where there is none."""

    ca: str = field(default="", repr=False)
    cert: str = field(default="", repr=False)
    key: str = field(default="", repr=False)
    server_name: str = ""
    insecure_skip_verify: bool = False
    min_version: str = ""
    max_version: str = ""

    def context(self) -> ssl.SSLContext:
        """What connections are made with. Raises ValueError, naming the entry."""
        context = ssl.create_default_context(cadata=_checked_ca(self.ca) if self.ca else None)
        if not self.ca and not context.cert_store_stats()["x509_ca"]:  # A Python that does not know the system's place.
            context.load_verify_locations(DEFAULT_CA_BUNDLE_PATH)
        _present(context, self.cert, self.key)
        if self.insecure_skip_verify:
            context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        for entry, wanted in (("min_version", self.min_version), ("max_version", self.max_version)):
            if wanted:
                setattr(context, f"{entry.partition('_')[0]}imum_version", _version(entry, wanted))
        return context


def read(texts: Mapping[str, str], resolve: Callable[[str, str], str]) -> Tls:
    """The settings that these entries make; `resolve` finds what the text of an entry stands for.

    A file with a certificate or a key is read as a reference to it is, so it is bound by the same rules. Raises ValueError.
    """
    unknown = sorted(texts.keys() - NAMES)
    if unknown:
        raise ValueError(f"tls.{unknown[0]} is not known: known are {', '.join(sorted(NAMES))}")
    values = {entry: _pem(entry, texts, resolve) for entry in TEXTS}
    values |= {entry: text for entry, text in texts.items() if entry in ("server_name", "min_version", "max_version")}
    switch = texts.get("insecure_skip_verify", "").lower()
    if switch not in _SWITCH:
        raise ValueError(f"tls.insecure_skip_verify is {switch[:40]!r}: give true or false")
    return Tls(**values, insecure_skip_verify=_SWITCH[switch])


def _pem(entry: str, texts: Mapping[str, str], resolve: Callable[[str, str], str]) -> str:
    text, path = texts.get(entry, ""), texts.get(f"{entry}_file", "")
    if text and path:
        raise ValueError(f"tls.{entry} and tls.{entry}_file are both given: keep one of them")
    if not path:
        return resolve(f"tls.{entry}", text) if text else ""
    if entry == "ca":
        return _authorities(path)
    return resolve(f"tls.{entry}_file", f"file:{path.removeprefix('file:')}")


def _authorities(path: str) -> str:
    """The text of a file with authorities, which are no secret and may be many."""
    try:
        with Path(path.removeprefix("file:")).open("rb") as file:
            found = file.read(CA_LIMIT + 1)
    except (OSError, ValueError) as error:
        why = error.strerror if isinstance(error, OSError) else "it is no path"
        raise ValueError(f"tls.ca_file cannot be read: {why}") from None
    if len(found) > CA_LIMIT:
        raise ValueError(f"tls.ca_file holds more than {CA_LIMIT} bytes: correct the path")
    return found.decode("ascii", "replace")


def _checked_ca(pem: str) -> str:
    """The certificates among the text; a file may hold comments and a key beside them."""
    found = list(_certificates(pem))
    if not found:
        raise ValueError("tls.ca has no certificate in PEM form: it begins with -----BEGIN CERTIFICATE-----")
    try:
        ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT).load_verify_locations(cadata="\n".join(found))
    except (ssl.SSLError, ValueError):
        raise ValueError("tls.ca has a certificate that cannot be read: give it again") from None
    return "\n".join(found)


def _certificates(pem: str) -> Iterable[str]:
    begin, end = "-----BEGIN CERTIFICATE-----", "-----END CERTIFICATE-----"
    for part in pem.split(begin)[1:]:
        body, ended, _ = part.partition(end)
        if ended and body.isascii():
            yield f"{begin}{body}{end}"


def _present(context: ssl.SSLContext, cert: str, key: str) -> None:
    """Have the context show this certificate."""
    if bool(cert) != bool(key):
        given, missing = ("cert", "key") if cert else ("key", "cert")
        raise ValueError(f"tls.{given} is given and tls.{missing} is not: a client shows both or none")
    if not cert:
        return
    # Python's ssl reads a certificate from files only: a file of our own, which nobody else can read, for that moment.
    with tempfile.NamedTemporaryFile("w", suffix=".pem", encoding="utf-8") as file:
        file.write(f"{key}\n{cert}\n")
        file.flush()
        try:
            context.load_cert_chain(file.name, password=_no_password)
        except (ssl.SSLError, ValueError, OSError):
            raise ValueError(
                "tls.cert and tls.key cannot be used: both must be in PEM form, without a password, and belong together"
            ) from None


def _no_password() -> str:
    """Without this, OpenSSL would ask for one on the terminal."""
    raise ValueError("the key has a password")


def _version(entry: str, wanted: str) -> ssl.TLSVersion:
    with suppress(KeyError):
        return _VERSIONS[wanted]
    raise ValueError(f"tls.{entry} is {wanted[:40]!r}: give TLS12 or TLS13; what is older is not offered any more")
