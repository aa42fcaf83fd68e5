import base64
from datetime import UTC, datetime, timedelta

import pytest

from serving.state.page_tokens import PageTokens

NOW = datetime(2026, 11, 1, tzinfo=UTC)
WHOM = {"session_id": "s-1"}
ENDS = NOW + timedelta(seconds=60)


def test_a_token_is_valid_in_every_process_until_it_ends() -> None:
    token = PageTokens("secret").make(WHOM, ENDS)
    assert PageTokens("secret").read(token, NOW) == WHOM
    assert PageTokens("secret").read(token, ENDS - timedelta(seconds=1)) == WHOM
    assert PageTokens("secret").read(token, ENDS) is None
    assert PageTokens("another").read(token, NOW) is None


def test_no_bit_of_a_token_can_be_changed() -> None:
    tokens = PageTokens("secret")
    raw = base64.urlsafe_b64decode(tokens.make(WHOM, ENDS) + "==")
    for place in range(len(raw)):
        changed = raw[:place] + bytes([raw[place] ^ 1]) + raw[place + 1 :]
        assert tokens.read(base64.urlsafe_b64encode(changed).decode().rstrip("="), NOW) is None


@pytest.mark.parametrize("token", ["", "x", "é", "\ud800", "A" * 43, "=" * 9, "A" * 100_000])
def test_what_is_no_token_is_nobodys(token: str) -> None:
    assert PageTokens("secret").read(token, NOW) is None
