import hashlib
import re

import pytest

from lakehouse.config.keys import DECLARED, SCOPES, Keyring, is_declared, make, read


def test_a_made_key_is_declared_by_its_hash_and_found_by_its_text() -> None:
    text, key = make("shop-web", ["decide", "ingest"])
    assert key.declared == f"shop-web:ingest+decide:{hashlib.sha256(text.encode()).hexdigest()}"
    assert is_declared(key.declared)
    assert read(key.declared) == key
    assert text not in key.declared
    assert Keyring([key.declared], is_open=False).holder(text) == key
    assert make("shop-web", ["decide"])[0] != text


def test_old_and_new_are_both_valid_until_the_old_one_is_taken_away() -> None:
    (old_text, old), (new_text, new) = (make(name, ["ingest"]) for name in ("web-1", "web-2"))
    both, after = Keyring([old.declared, new.declared], is_open=False), Keyring([new.declared], is_open=False)
    assert [both.holder(text) for text in (old_text, new_text)] == [old, new]
    assert [after.holder(text) for text in (old_text, new_text)] == [None, new]


@pytest.mark.parametrize("given", ["", "\0", "\ud800", "sl_", "x" * 10_000])
def test_what_is_no_key_is_nobodys(given: str) -> None:
    assert Keyring([make("a", SCOPES)[1].declared], is_open=False).holder(given) is None


def test_only_scopes_that_no_key_has_are_open_and_only_where_it_is_said() -> None:
    ingest = make("web", ["ingest"])[1].declared
    assert [Keyring([ingest], is_open=True).is_open(scope) for scope in SCOPES] == [False, True, True, True, True]
    assert not any(Keyring([ingest], is_open=False).is_open(scope) for scope in SCOPES)
    assert [bool(Keyring(keys, is_open=is_open)) for keys, is_open in (([], False), ([], True), ([ingest], False))] == [
        *(False, True, True)
    ]


@pytest.mark.parametrize("faulty", ["", "web", "web:ingest:abc", f"web:all:{'0' * 64}", f"We b:ingest:{'0' * 64}"])
def test_what_is_no_entry_is_none(faulty: str) -> None:
    assert re.fullmatch(DECLARED, faulty) is None
