"""What the delivery tests share."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.delivery.certificates import self_signed


@pytest.fixture(scope="session")
def trusted(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The PEM file of a certificate for 127.0.0.1; the file is the CA to trust as well."""
    return self_signed(tmp_path_factory.mktemp("certificates"))
