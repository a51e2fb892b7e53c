"""Roles as they are written in the database and read back."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from engine.core.roles import EVERY, Role, read, spelled


@given(st.frozensets(st.sampled_from(Role)))
def test_roles_read_back_as_they_were_written(roles: frozenset[Role]) -> None:
    assert read(spelled(roles)) == roles


def test_a_process_from_before_there_were_roles_has_all_of_them() -> None:
    assert read(None) == EVERY


def test_a_role_of_a_newer_version_is_none_that_this_one_counts_on() -> None:
    assert read("sender,oracle") == {Role.SENDER}
