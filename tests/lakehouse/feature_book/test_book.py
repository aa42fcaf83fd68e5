"""conf/features.yaml: what is in it, and one clear line for whatever is wrong."""

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml

from lakehouse.config.paths import FEATURES
from lakehouse.errors import ConfigError
from lakehouse.feature_book.book import read_features
from lakehouse.features.definition import DAY, HOUR, MINUTE, Features
from tests.feature_oracle import PROPERTIES


def entry(**own: Any) -> dict[str, Any]:
    return {"name": "one", "description": "words", "aggregation": "count"} | own


def read(folder: Path, *entries: Mapping[str, Any]) -> Features:
    path = folder / "features.yaml"
    path.write_text(yaml.safe_dump({"features": [dict(each) for each in entries]}))
    return read_features(path, PROPERTIES)


def faults(folder: Path, *entries: Mapping[str, Any]) -> list[str]:
    with pytest.raises(ConfigError) as refused:
        read(folder, *entries)
    return str(refused.value).splitlines()


def test_the_shipped_file_is_sound() -> None:
    features = read_features(FEATURES, ())
    assert len(features.features) >= 10
    assert features.reads == ()


def test_features_of_one_filter_and_value_share_their_sums_and_windows_choose_the_grain(tmp_path: Path) -> None:
    views = {"where": "event_name = 'Product Viewed'"}
    features = read(
        tmp_path,
        entry(name="a", window="24 h", **views),
        entry(name="b", window="7 d", **views),
        entry(
            name="c",
            window="30 d",
            where="event_name = 'Product Viewed'  AND TRUE",
            value="p_rating",
            aggregation="sum",
        ),
        entry(name="d", **views),
    )
    a, b, c, d = features.features
    assert (a.window, b.window, d.window) == (24 * HOUR, 7 * DAY, None)
    assert b.partial == d.partial != a.partial
    assert {partial.name: partial.grain for partial in features.partials} == {
        a.partial: MINUTE,
        b.partial: DAY,
        c.partial: DAY,
    }
    assert features.reads == ("p_rating",)
    assert (a.default, c.default) == (0, None)
    assert (a.type, c.type) == ("bigint", "double")


def test_a_version_follows_what_is_computed_and_no_name_or_word(tmp_path: Path) -> None:
    (first,) = read(tmp_path, entry(where="amount > 10")).features
    (again,) = read(tmp_path, entry(name="other", description="other words", where=" amount  > 10.0")).features
    (changed,) = read(tmp_path, entry(where="amount > 11")).features
    (longer,) = read(tmp_path, entry(where="amount > 10", window="3 d")).features
    assert first.version == again.version
    assert len({first.version, changed.version, longer.version}) == 3
    parts = [entry(name="x", where="amount > 1"), entry(name="y")]
    ratio = {"name": "r", "aggregation": "ratio", "numerator": "x", "denominator": "y"}
    before = read(tmp_path, *parts, entry(**ratio)).by_name["r"].version
    assert read(tmp_path, entry(name="x", where="amount > 2"), parts[1], entry(**ratio)).by_name["r"].version != before


RATIO = {"aggregation": "ratio"}
WRONG: list[tuple[list[dict[str, Any]], str]] = [
    ([entry(where="p_colour = 'red'")], r"features\[0\] one.where: unknown column 'p_colour'; did you mean"),
    ([entry(where="price > 1")], "unknown column 'price'"),
    ([entry(window="0 d")], "got '0 d', expected 1 h to 1100 d"),
    ([entry(window="3 d 1 h")], "expected 1 h to 1100 d"),
    ([entry(window="49 h")], "expected whole days from 2 d on"),
    ([entry(window="20 min")], "expected 1 h"),
    ([entry(aggregation="sum", value="amount / 0")], "one.value: /: got a division by zero"),
    ([entry(aggregation="sum", value="amount / (2 - 2)")], "one.value: /: got a division by zero"),
    ([entry(aggregation="sum", value="rand()")], "one.value: function 'rand' is not allowed"),
    ([entry(where="event_name")], "got a text, expected true or false"),
    ([entry(aggregation="sum", value="product_id")], "got a text, expected a number"),
    ([entry(aggregation="distinct", value="amount")], "got a number, expected a text"),
    ([entry(aggregation="sum")], "a sum takes a number, got None"),
    ([entry(value="amount")], "a count takes none, got 'amount'"),
    ([entry(aggregation="median", value="amount")], "aggregation: Input should be 'count'"),
    ([entry(windov="7 d")], "unknown key 'windov'; did you mean 'window'"),
    ([entry(), entry()], "'one' is there already"),
    ([entry(name="as_of")], "a column of gold.features itself"),
    ([entry(default="none")], "default: got 'none', expected a number"),
    ([entry(aggregation="top_k", value="product_id", default=1)], "an empty top_k is null"),
    ([entry(aggregation="streak", window="24 h")], "a streak counts days"),
    ([entry(most=3)], "most: is of a top_k"),
    ([entry(**RATIO, numerator="one")], "expected both of a ratio"),
    ([entry(**RATIO, numerator="two", denominator="two")], "one.numerator: no feature 'two', expected one of one"),
    ([entry(**RATIO, numerator="two", denominator="two", window="7 d"), entry(name="two")], "a ratio has none of its own"),
    (
        [
            entry(**RATIO, numerator="two", denominator="three"),
            entry(**RATIO, name="two", numerator="one", denominator="three"),
            entry(name="three"),
        ],
        "ratios in a cycle, got (one -> two -> one|two -> one -> two), expected a ratio of others",
    ),
    (
        [
            entry(**RATIO, numerator="two", denominator="two"),
            entry(name="two", aggregation="last", value="coupon"),
        ],
        "one.numerator: 'two' is no number",
    ),
    ([entry(aggregation="top_k", value="product_id", online=True)], "online: got true of a top_k"),
    (
        [
            entry(**RATIO, numerator="two", denominator="two", online=True),
            entry(**RATIO, name="two", numerator="three", denominator="three"),
            entry(name="three", aggregation="distinct", value="product_id"),
        ],
        "one.online: got true, expected false: it divides what fits into no document",
    ),
    ([entry(name="frequency", online=True)], "frequency.name: got a word that rules know already"),
]  # fmt: skip


@pytest.mark.parametrize(("entries", "line"), WRONG, ids=[line[:40] for _, line in WRONG])
def test_what_is_wrong_is_told_in_a_line(tmp_path: Path, entries: list[dict[str, Any]], line: str) -> None:
    told = faults(tmp_path, *entries)
    assert all(one.startswith("features.yaml: features") for one in told)
    assert re.search(line, told[0]), told


def test_every_fault_is_told_at_once(tmp_path: Path) -> None:
    assert len(faults(tmp_path, entry(window="0 d"), entry(name="two", where="x = 1"), entry(name="three"))) == 2
