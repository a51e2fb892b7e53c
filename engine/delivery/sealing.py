"""Secrets as they rest in the database: `enc:` and a Fernet token, which only the holder of a key can open.

Fernet (AES-128-CBC and HMAC-SHA256, github.com/fernet/spec) tells a forged or broken token from a good one. Several keys
make a rotation: the first one encrypts, and every one decrypts. A sealed text is opened at the moment it is used, and what
comes out is never stored.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Final

from cryptography.fernet import Fernet, InvalidToken, MultiFernet

from rules.errors import ChannelError

MARK: Final = "enc:"
"""What a sealed text begins with."""
SETTING: Final = "TOCSIN_SECRET_KEY"


def is_sealed(text: str) -> bool:
    """Whether the text is one that `Keys.seal` made."""
    return text.startswith(MARK)


def fresh_key() -> str:
    """A new key, from the system's source of randomness."""
    return Fernet.generate_key().decode()


def is_key(text: str) -> bool:
    """Whether the text is one Fernet key: 32 bytes in URL-safe base64. What follows a key would be ignored in silence."""
    return re.fullmatch(r"[A-Za-z0-9_-]{43}=", text) is not None


def _token(text: str) -> bytes:
    return text.removeprefix(MARK).encode()


class Keys:
    """The keys of `TOCSIN_SECRET_KEY`, of which the first encrypts; with none, nothing is sealed. Shown by no repr."""

    __slots__ = ("_fernets",)

    def __init__(self, keys: Sequence[str] = ()) -> None:
        self._fernets = tuple(Fernet(key) for key in keys)

    def __bool__(self) -> bool:
        return bool(self._fernets)

    def seal(self, text: str) -> str:
        """The text sealed with the first key; the text as it is when there is no key."""
        return f"{MARK}{self._fernets[0].encrypt(text.encode()).decode()}" if self._fernets else text

    def opened(self, text: str) -> str:
        """What a sealed text holds; ChannelError, naming the setting, when no key opens it. Other texts are as they are."""
        if not is_sealed(text):
            return text
        if not self._fernets:
            raise ChannelError(f"is encrypted, and there is no key to open it: set {SETTING}, or give the secret again")
        try:
            return MultiFernet(self._fernets).decrypt(_token(text)).decode()
        except (InvalidToken, UnicodeError):
            problem = f"is encrypted, and no key of {SETTING} opens it: add the key it was made with, or give it again"
            raise ChannelError(problem) from None

    def is_newest(self, text: str) -> bool:
        """Whether a sealed text was sealed with the first key, the one that is used now."""
        try:
            self._fernets[0].decrypt(_token(text))
        except (InvalidToken, UnicodeError):
            return False
        return True
