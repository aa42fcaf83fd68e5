import gzip
import zlib
from collections.abc import Callable

import pytest

from serving.messages.content_coding import Damaged, Inflated, UnknownCoding, codings_of, inflated

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
    for body in (pack(BODY)[:cut], BODY, b"\x78\x9c" + b"\xff" * 40):
        with pytest.raises(Damaged):
            inflated(body, [coding], MOST)


def test_a_bomb_is_put_out_before_it_goes_off() -> None:
    bomb = gzip.compress(b"\0" * 100_000_000, compresslevel=9)
    assert len(bomb) < 100_000
    for body in (bomb, gzip.compress(b"x" * (MOST + 1)), gzip.compress(b"x" * MOST) * 2):
        with pytest.raises(Inflated, match="more than 1000 bytes once decompressed"):
            inflated(body, ["gzip"], MOST)
    assert inflated(gzip.compress(b"x" * MOST), ["gzip"], MOST) == b"x" * MOST
