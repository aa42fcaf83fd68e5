"""Strings of the Global Privacy Platform: those that the IAB's own encoder is tested with, and strings written bit by bit from the sections' lists of fields."""

from collections.abc import Collection, Mapping, Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lakehouse.events.gpp import GppString, decode, us_privacy_opts_out
from tests.lakehouse.events.test_tcf import PUBLISHED

BASE64 = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
# Fields of two bits behind the version, those that opt out in capitals; what follows them is not told from each other.
FIELDS: Mapping[int, Sequence[str]] = {
    7: ["notice", "sale", "sharing", "ads", "sensitive", "limit", "SALE", "SHARING", "ADS"],
    8: ["sale", "sharing", "limit", "SALE", "SHARING"],
    **{
        number: ["notice", "sale", "ads", "SALE", "ADS"]
        for number in (9, 10, 12, 13, 14, 15, 16, 17, 19, 20, 21, 22, 23)
    },
    **{number: ["notice", "sale", "ads", "sensitive", "SALE", "ADS"] for number in (11, 18)},
    **{number: ["covered", "mode", "notice", "sale", "ads", "SALE", "ADS"] for number in (24, 25, 26, 27)},
}
APPLIES_NOT, OPTED_OUT, STAYS_IN = 0, 1, 2


def base64_of(bits: str) -> str:
    padded = bits + "0" * (-len(bits) % 6)
    return "".join(BASE64[int(six, 2)] for six in (padded[at : at + 6] for at in range(0, len(padded), 6)))


def fibonacci(number: int) -> str:
    numbers = [1, 2]
    while numbers[-1] <= number:
        numbers.append(sum(numbers[-2:]))
    bits = ""
    for one in reversed([one for one in numbers if one <= number]):
        bits = ("1" if one <= number else "0") + bits
        number -= one if one <= number else 0
    return f"{bits}1"


def header(numbers: Collection[int], *, in_ranges: bool) -> str:
    """The sections as ranges of one or more, each number by its distance from the one before."""
    runs: list[list[int]] = []
    for number in sorted(numbers):
        if in_ranges and runs and number == runs[-1][-1] + 1:
            runs[-1].append(number)
        else:
            runs.append([number])
    starts = [0, *(run[-1] for run in runs)]
    bits = "".join(
        f"0{fibonacci(run[0] - before)}"
        if len(run) == 1
        else f"1{fibonacci(run[0] - before)}{fibonacci(run[-1] - run[0])}"
        for before, run in zip(starts, runs, strict=False)
    )
    return base64_of(f"{3:06b}{1:06b}{len(runs):012b}{bits}")


def section(words: Sequence[int], *, gpc: bool | None, version: int = 1) -> str:
    core = f"{version:06b}" + "".join(f"{word:02b}" for word in words) + "10" * 12
    return base64_of(core) + ("" if gpc is None else f".{base64_of(f'01{int(gpc)}')}")


@pytest.mark.parametrize(
    ("number", "place"), [(number, place) for number in FIELDS for place in range(len(FIELDS[number]))]
)
def test_one_field_opts_out_where_it_is_one_that_does(number: int, place: int) -> None:
    words = [STAYS_IN] * len(FIELDS[number])
    words[place] = OPTED_OUT
    text = f"{header([number], in_ranges=False)}~{section(words, gpc=None)}"
    assert decode(text) == GppString(FIELDS[number][place].isupper(), None, True)


@pytest.mark.parametrize("number", FIELDS)
def test_global_privacy_control_is_repeated_in_a_part_of_its_own(number: int) -> None:
    words = [APPLIES_NOT] * len(FIELDS[number])
    said = [decode(f"{header([number], in_ranges=False)}~{section(words, gpc=gpc)}") for gpc in (False, True)]
    has_none = number in (25, 26, 27)  # of Indiana, Kentucky and Rhode Island, where that part is of sensitive data
    assert said == [GppString(False, None, True), GppString(not has_none, None, True)]


@given(st.sets(st.sampled_from(sorted(FIELDS)), min_size=1), st.booleans(), st.data())
def test_each_section_is_found_however_the_header_names_them(
    numbers: set[int], in_ranges: bool, data: st.DataObject
) -> None:
    refusing = data.draw(st.none() | st.sampled_from(sorted(numbers)))
    words = {
        number: [OPTED_OUT if name.isupper() and number == refusing else STAYS_IN for name in FIELDS[number]]
        for number in numbers
    }
    sections = [section(words[number], gpc=None, version=data.draw(st.integers(1, 2))) for number in sorted(numbers)]
    assert decode("~".join([header(numbers, in_ranges=in_ranges), *sections])) == GppString(
        refusing is not None, None, True
    )


# Of the tests of IABTechLab/iabgpp-es, which name the fields that are set.
@pytest.mark.parametrize(
    ("text", "opts_out"),
    [
        ("DBABLA~CVVVkkkkkpFY.YA", True),
        ("DBABLA~CAAAAAAAAABA.QA", False),
        ("DBABLA~CAAAVVVVVVRA.QA", False),  # sensitive data alone
        ("DBABLA~BAAAVVVVUQA.QA", False),
        ("DBABBg~BVWSSSVY.YA", True),
        ("DBABBg~BAAAAABA.QA", False),
        ("DBABTA~1YYN", True),
        ("DBABTA~1YNN", False),
    ],
)
def test_the_published_strings_say_what_they_are_published_to_say(text: str, opts_out: bool) -> None:
    assert decode(text) == GppString(opts_out, None, True)


def test_a_section_of_every_law_there_is_is_found_by_its_number_in_the_header() -> None:
    states = "BAAAAABA.QA~BAAAABA~BAAAAEA.QA~BAAAAAQA~BAAAAAEA.QA~BAAAAABA~BAAAAABA.QA~BAAAAAAABAA.QA~BAAAAAQA.QA~BAAAAAAABAA.QA"
    more = (
        "BAAAAAQA.QA~BAAAAAQA.QA~BAAAAABA.QA~BAAAAAAAQA.QA~BAAAAAQA.QA~BAAAAAQA.QA~BQAA.QA~BQAA.AAA~BQAA.AAA~BQAA.AAA"
    )
    canadian = "BPSG_8APSG_8AAAAAAENAACAAAAAAAAAAAAAAAAAAA.YAAAAAAAAAA"
    found = decode(f"DBACOcGA~{PUBLISHED}~{canadian}~1---~BAAAAAAAAQA.QA~{states}~{more}")
    assert found is not None
    assert found.tc_string is not None
    assert (found.opts_out, found.is_whole) == (False, False), "nobody here reads the Canadian section"


def test_the_signature_says_nothing() -> None:
    assert decode(f"{header([4, 6], in_ranges=False)}~anything~1YNN") == GppString(False, None, True)


@pytest.mark.parametrize(
    "text",
    [
        "DBABMA~",  # the European section, and nothing of it
        "DBABLA~C",
        f"{header([40], in_ranges=False)}~BAAAAABA",
        "DBABTA~2YNN",
    ],
)
def test_a_section_that_nobody_can_read_is_told(text: str) -> None:
    assert decode(text) == GppString(False, None, False)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "~",
        "DBABLA",
        "DBABLA~CAAA~CAAA",
        "DB",
        "XBABLA~CAAAAAAAAABA",
        "D AB~C",
        "DBAB",
        f"DBAB{'A' * 30_000}w~C",
        "D" * 36_000,
    ],
)
def test_what_is_no_such_string_is_none(text: str) -> None:
    assert decode(text) is None


def test_a_range_of_more_numbers_than_sections_is_none() -> None:
    assert decode(f"{header(range(1, 900), in_ranges=True)}~1YYN") is None


@pytest.mark.parametrize(
    ("text", "opts_out"),
    [("1YYN", True), (" 1yyn ", True), ("1---", False), ("1NNY", False), ("1YY", None), ("YYYY", None)],
)
def test_a_us_privacy_string_opts_out_by_its_third_character(text: str, opts_out: bool | None) -> None:
    assert us_privacy_opts_out(text) is opts_out
