"""TLS to a datasource by real handshakes: whom it trusts, what it shows, and what is refused without a key in the words."""

from __future__ import annotations

import ssl
from collections.abc import Mapping
from datetime import timedelta
from pathlib import Path

import pytest
from cryptography.hazmat.primitives import serialization

from engine import connecting, tls
from engine.delivery.references import Sources
from engine.prometheus import QueryError
from engine.resolver import Resolver
from rules.datasource import Datasource
from tests.delivery.certificates import Authority, Issued
from tests.engine.test_connecting import answer
from tests.servers import ScriptedServer

BOUNDS = connecting.Bounds(workers=1, timeout=timedelta(seconds=10), max_bytes=1 << 20, resolver=Resolver())


def context(issued: Issued, demanded: Authority | None = None) -> ssl.SSLContext:
    """What a server shows; with `demanded` it wants a certificate that this authority has signed."""
    made = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    made.load_cert_chain(issued.certificate_file, issued.key_file)
    if demanded is not None:
        made.load_verify_locations(cadata=demanded.pem)
        made.verify_mode = ssl.CERT_REQUIRED
    return made


def failure(server: ScriptedServer, settings: Mapping[str, str], folder: Path) -> str | None:
    """What a query of a datasource with these TLS settings fails with; `None` when it is answered."""
    source = Datasource(name="d", urls=(server.url,), tls=settings)
    environment = Sources({"CA": (folder / "authority.pem").read_text()}, allowed=("env:*", f"file:{folder}/*"))
    (client,) = connecting.clients(source, lambda: environment, BOUNDS)
    try:
        client.check()
    except QueryError as error:
        return f"{error.kind}: {error}"
    finally:
        client.close()
    return None


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("tls")


@pytest.fixture(scope="module")
def authority(folder: Path) -> Authority:
    return Authority(folder)


@pytest.fixture(scope="module")
def stranger(folder: Path) -> Authority:
    return Authority(folder, "stranger")


@pytest.mark.parametrize(
    ("settings", "told"),
    [
        pytest.param({}, "certificate verify failed", id="the system does not know it"),
        pytest.param({"ca_file": "{folder}/authority.pem"}, None, id="its authority's file"),
        pytest.param({"ca": "env:CA"}, None, id="its authority by reference"),
        pytest.param({"ca_file": "{folder}/stranger.pem"}, "certificate verify failed", id="another authority"),
        pytest.param({"insecure_skip_verify": "true"}, None, id="nothing is verified"),
        pytest.param({"ca": "env:CA", "server_name": "prometheus"}, "Hostname mismatch", id="another name"),
        pytest.param({"ca": "env:CA", "max_version": "TLS12"}, None, id="an older TLS"),
    ],
)
def test_a_server_is_trusted_as_its_row_says(
    folder: Path, authority: Authority, stranger: Authority, settings: dict[str, str], told: str | None
) -> None:
    settings = {entry: text.format(folder=folder) for entry, text in settings.items()}
    with ScriptedServer(answer, tls=context(authority.issue("127.0.0.1"))) as server:
        found = failure(server, settings, folder)
    assert (found is None) == (told is None)
    assert (told or "") in (found or "")
    assert found is None or found.startswith("unavailable: ")


def test_a_name_of_its_own_is_asked_for_and_verified(folder: Path, authority: Authority) -> None:
    with ScriptedServer(answer, tls=context(authority.issue("prometheus"))) as server:
        assert "IP address mismatch" in (failure(server, {"ca": "env:CA"}, folder) or "")
        assert failure(server, {"ca": "env:CA", "server_name": "prometheus"}, folder) is None


def test_a_server_that_wants_a_certificate_is_shown_the_clients(folder: Path, authority: Authority) -> None:
    client = authority.issue("tocsin")
    files = {"cert_file": str(client.certificate_file), "key_file": str(client.key_file)}
    with ScriptedServer(answer, tls=context(authority.issue("127.0.0.1"), authority)) as server:
        assert failure(server, {"ca": "env:CA"}, folder) is not None
        assert failure(server, {"ca": "env:CA", **files}, folder) is None
        assert failure(server, {"ca": "env:CA", "cert": client.certificate, "key": client.key}, folder) is None


def test_a_certificate_that_is_rotated_is_shown_at_the_next_query(
    folder: Path, authority: Authority, stranger: Authority
) -> None:
    wrong, right = stranger.issue("rotated"), authority.issue("later")
    settings = {"ca": "env:CA", "cert_file": str(wrong.certificate_file), "key_file": str(wrong.key_file)}
    with ScriptedServer(answer, tls=context(authority.issue("127.0.0.1"), authority)) as server:
        source = Datasource(name="d", urls=(server.url,), tls=settings)
        environment = Sources({"CA": authority.pem}, allowed=("env:*", f"file:{folder}/*"))
        (client,) = connecting.clients(source, lambda: environment, BOUNDS)
        with pytest.raises(QueryError):
            client.check()
        wrong.certificate_file.write_text(right.certificate)
        wrong.key_file.write_text(right.key)
        client.check()
        client.close()


def encrypted(key: str) -> str:
    loaded = serialization.load_pem_private_key(key.encode(), None)
    kept = serialization.BestAvailableEncryption(b"pass")
    return loaded.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, kept).decode()


def test_what_cannot_be_used_is_told_by_its_entry_and_never_its_key(authority: Authority, stranger: Authority) -> None:
    one, other = authority.issue("one"), stranger.issue("other")
    broken = one.authority.replace("M", "!", 3)
    cases = {
        "tls.ca has no certificate": tls.Tls(ca=one.key),
        "tls.ca has a certificate that cannot be read": tls.Tls(ca=broken),
        "tls.cert is given and tls.key is not": tls.Tls(cert=one.certificate),
        "tls.key is given and tls.cert is not": tls.Tls(key=one.key),
        "tls.cert and tls.key cannot be used": tls.Tls(cert=one.certificate, key=other.key),
        "without a password": tls.Tls(cert=one.certificate, key=encrypted(one.key)),
        "tls.max_version is 'TLS10'": tls.Tls(max_version="TLS10"),
    }
    for told, settings in cases.items():
        with pytest.raises(ValueError, match=told) as caught:
            settings.context()
        assert one.key[30:60] not in str(caught.value) + repr(settings)


def test_a_file_with_authorities_is_bounded(tmp_path: Path) -> None:
    large = tmp_path / "large.pem"
    large.write_bytes(b"#" * (tls.CA_LIMIT + 1))
    for path, told in ((str(large), "holds more than"), ("/a\0b", "it is no path")):
        with pytest.raises(ValueError, match=rf"tls\.ca_file .*{told}"):
            tls.read({"ca_file": path}, lambda _, text: text)
    with pytest.raises(ValueError, match=r"tls\.ca and tls\.ca_file are both given"):
        tls.read({"ca": "a", "ca_file": "b"}, lambda _, text: text)
