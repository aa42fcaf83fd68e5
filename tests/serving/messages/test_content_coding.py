import gzip
import zlib
from collections.abc import Callable

import pytest

from serving.messages.content_coding import Damaged, Inflated, UnknownCoding, coding_of, codings_of, inflated

BODY = b'{"event":"Signed In"}' * 40
MOST = 1000


def raw_deflate(body: bytes) -> bytes:
    packer = zlib.compressobj(wbits=-15)
    return packer.compress(body) + packer.flush()


@pytest.mark.parametrize(
    ("header", "pack"),
    [
        ("gzip", gzip.compress),
        ("X-GZIP", gzip.compress),
        ("deflate", zlib.compress),
        ("deflate", raw_deflate),
        ("deflate, gzip", lambda body: gzip.compress(zlib.compress(body))),
        ("gzip", lambda body: gzip.compress(body[:99]) + gzip.compress(body[99:]) + b"\0" * 8),
        ("gzip", zlib.compress),
        ("deflate", gzip.compress),
        ("", bytes),
        ("identity", bytes),
    ],
)
def test_a_body_comes_out_as_it_was_before(header: str, pack: Callable[[bytes], bytes]) -> None:
    assert inflated(pack(BODY), codings_of(header), MOST) == BODY


def test_a_coding_nobody_reads_is_told_with_those_that_are() -> None:
    with pytest.raises(UnknownCoding, match=r"'br', expected one of deflate, gzip"):
        codings_of("gzip, br")


@pytest.mark.parametrize("cut", [0, 1, 12, -1])
@pytest.mark.parametrize("coding", ["gzip", "deflate"])
def test_a_body_cut_off_or_of_another_coding_is_damaged(coding: str, cut: int) -> None:
    pack = gzip.compress if coding == "gzip" else zlib.compress
    for body in (pack(BODY)[:cut], b"no JSON", b"\x78\x9c" + b"\xff" * 40):
        with pytest.raises(Damaged):
            inflated(body, [coding], MOST)


@pytest.mark.parametrize("coding", ["gzip", "deflate"])
def test_a_body_that_a_proxy_has_unpacked_already_is_left_as_it_is(coding: str) -> None:
    for body in (BODY, b" \r\n[]", b"\xef\xbb\xbf{}"):
        assert inflated(body, [coding], MOST) == body


def test_a_body_says_itself_what_it_is_packed_by() -> None:
    for level in (0, 1, 6, 9):
        assert coding_of(gzip.compress(BODY, level)) == ["gzip"]
        assert coding_of(zlib.compress(BODY, level)) == ["deflate"]
    for plain in (BODY, b"", b" {", b"[", b"\xef\xbb\xbf{", b'"x"', b"x"):
        assert coding_of(plain) == []


def test_a_body_is_unpacked_only_so_many_times() -> None:
    """One that unpacks to itself would be unpacked as often as its header says."""
    assert len(codings_of(", ".join(["gzip"] * 4))) == 4
    with pytest.raises(UnknownCoding, match="got 5 codings, expected at most 4"):
        codings_of(",".join(["gzip"] * 5))


def test_a_bomb_is_put_out_before_it_goes_off() -> None:
    bomb = gzip.compress(b"\0" * 100_000_000, compresslevel=9)
    assert len(bomb) < 100_000
    for body in (bomb, gzip.compress(b"x" * (MOST + 1)), gzip.compress(b"x" * MOST) * 2):
        with pytest.raises(Inflated, match="more than 1000 bytes once decompressed"):
            inflated(body, ["gzip"], MOST)
    assert inflated(gzip.compress(b"x" * MOST), ["gzip"], MOST) == b"x" * MOST
