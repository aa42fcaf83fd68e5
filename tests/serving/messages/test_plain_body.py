import gzip
import json
import zlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from serving.messages.content_coding import Damaged, Inflated
from serving.messages.plain_body import plain

MOST = 100_000
OBJECTS = st.dictionaries(st.text(max_size=4), st.text(max_size=6) | st.integers(), min_size=1, max_size=3)


@given(OBJECTS, st.sampled_from(["utf-8", "utf-16", "utf-16-le", "utf-16-be", "utf-32"]), st.booleans())
def test_json_is_read_in_whatever_unicode_it_was_written(
    document: dict[str, object], charset: str, is_told: bool
) -> None:
    text = json.dumps(document, ensure_ascii=False)
    sent = text.encode(charset, "replace")
    read = plain(sent, f"application/json; charset={charset}" if is_told else "", MOST)
    assert read.decode() == sent.decode(charset)


@pytest.mark.parametrize("charset", ["ISO-8859-1", "windows-1252", "latin1", '"iso-8859-15"', "'cp1252'"])
def test_a_declared_set_is_used_where_the_body_is_no_utf8(charset: str) -> None:
    sent = '{"event":"Gr\u00f6\u00dfe"}'
    assert plain(sent.encode("latin-1"), f"text/plain; Charset={charset}", MOST).decode() == sent


@pytest.mark.parametrize(
    "content_type", ["", "application/json", "a/b; charset=", "a/b; charset=iso-8859-99", "a/b; charset=hex"]
)
def test_bytes_of_a_set_that_nobody_named_are_kept(content_type: str) -> None:
    assert plain(b'{"a":"\xf6"}', content_type, MOST) == b'{"a":"\xf6"}'


def test_what_is_utf8_is_that_whatever_its_header_says() -> None:
    sent = '{"event":"Gr\u00f6\u00dfe"}'.encode()
    for charset in ("iso-8859-1", "utf-16", "klingon", "punycode"):
        assert plain(sent, f"text/plain; charset={charset}", MOST) == sent


def test_half_a_character_of_another_set_spoils_no_more_than_itself() -> None:
    sent = '{"a":"x'.encode("utf-16-le") + b"\x3d\xd8" + '"}'.encode("utf-16-le")
    assert plain(sent, "", MOST).decode() == '{"a":"x\ufffd"}'


def test_what_is_packed_and_does_not_say_so_is_unpacked_within_the_limit() -> None:
    for pack in (gzip.compress, zlib.compress):
        assert plain(pack('{"a":1}'.encode("utf-16")), "", MOST) == b'{"a":1}'
        with pytest.raises(Inflated):
            plain(pack(b" " * (MOST + 1)), "", MOST)
        with pytest.raises(Damaged):
            plain(pack(b"{}" * 99)[:-3], "", MOST)
