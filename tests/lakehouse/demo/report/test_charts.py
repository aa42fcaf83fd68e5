import re
from xml.etree import ElementTree

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lakehouse.demo.report import charts, plots
from lakehouse.demo.report.charts import Bar
from lakehouse.demo.report.plots import Bubble, Span
from lakehouse.demo.report.svg import WIDTH, spread, steps, ticks


def widths(svg: str, class_: str) -> list[float]:
    return [
        float(e.attrib["width"]) for e in ElementTree.fromstring(svg).iter("rect") if e.attrib.get("class") == class_
    ]


def test_a_bar_is_as_long_as_its_share_of_the_longest() -> None:
    assert widths(charts.bars("b", "Bars", [Bar("x", 4, "4"), Bar("y", 1, "1"), Bar("z", 0, "0")]), "a") == [
        WIDTH,
        WIDTH / 4,
        0,
    ]


def test_a_pair_without_its_second_has_one_bar() -> None:
    svg = charts.pairs("p", "Pairs", [Bar("x", 2, "2", second=1, second_figure="1"), Bar("y", 1, "1")], ("one", "two"))
    assert len(widths(svg, "a")) - 1 == 2  # one more in the legend
    assert len(widths(svg, "b")) - 1 == 1


def test_a_divided_bar_fills_its_width_and_keeps_thin_parts_visible() -> None:
    svg = charts.divided("d", "Parts", [Bar("x", 1_000_000, ""), Bar("y", 1, ""), Bar("z", 0, "")])
    root = ElementTree.fromstring(svg)
    drawn = [float(e.attrib["width"]) for e in root.iter("rect") if e.attrib["height"] == "22"]
    assert sum(drawn) + 2 * (len(drawn) - 1) == pytest.approx(WIDTH, abs=0.05)
    assert min(drawn) >= 2


def test_columns_stand_on_the_base_and_none_is_higher_than_the_axis() -> None:
    svg = charts.columns("c", "Columns", [("a", 50.0), ("b", 0.0), ("c", 100.0)], axis="things")
    rects = [e.attrib for e in ElementTree.fromstring(svg).iter("rect")]
    assert [float(r["height"]) for r in rects] == [64, 0, 128]
    assert {float(r["y"]) + float(r["height"]) for r in rects} == {150}


def test_the_heat_map_shades_the_fullest_cell_most_and_leaves_empty_cells_bare() -> None:
    svg = charts.heat("h", "Heat", {(5, 5): (9, "9", "x"), (1, 1): (1, "1", "y")}, rows="F", columns="R")
    shades = [
        float(e.attrib["fill-opacity"]) for e in ElementTree.fromstring(svg).iter("rect") if "fill-opacity" in e.attrib
    ]
    assert len(shades) == 25
    assert sorted(shades)[-3:] == [0, 0.27, 0.6]
    assert shades[4] == 0.6  # F 5 is the top row, R 5 the right column


def test_an_unknown_span_is_left_out_and_the_others_keep_their_place() -> None:
    spans = [Span(1, 2, "first"), Span(None, None, "second"), Span(1, 2, "third")]
    dots = [
        float(e.attrib["cx"])
        for e in ElementTree.fromstring(plots.timeline("t", "T", spans, axis="s", x_axis="n")).iter("circle")
    ]
    assert dots[1] - dots[0] == pytest.approx(2 * (WIDTH - 36) / 3, abs=0.02)


def test_recent_bubbles_stand_on_the_right_and_small_ones_are_drawn_last() -> None:
    svg = plots.bubbles("b", "B", [Bubble(2, 1, 1, "new"), Bubble(90, 5, 50, "old")], x_axis="days", y_axis="orders")
    old, new = [e.attrib for e in ElementTree.fromstring(svg).iter("circle")]
    assert float(new["cx"]) > float(old["cx"])
    assert float(old["r"]) > float(new["r"])


def test_stages_lie_end_to_end() -> None:
    svg = plots.stages("s", "S", {"one": 1.0, "two": 3.0})
    bars = [e.attrib for e in ElementTree.fromstring(svg).iter("rect") if e.attrib["class"] == "a"]
    assert float(bars[1]["x"]) == float(bars[0]["width"]) == WIDTH / 4


def test_a_dot_on_the_diagonal_is_predicted_as_observed() -> None:
    svg = plots.reliability("r", "R", [(10, 0.2, 0.2)])
    root = ElementTree.fromstring(svg)
    line = next(e.attrib for e in root.iter("line") if e.attrib["class"] == "diagonal")
    dot = next(e.attrib for e in root.iter("circle"))
    across = (float(dot["cx"]) - float(line["x1"])) / (float(line["x2"]) - float(line["x1"]))
    up = (float(line["y1"]) - float(dot["cy"])) / (float(line["y1"]) - float(line["y2"]))
    assert across == pytest.approx(up, abs=0.001)


NOTHING = {
    "bars": charts.bars("n", "N", []),
    "pairs": charts.pairs("n", "N", [], ("a", "b")),
    "divided": charts.divided("n", "N", [Bar("x", 0, "0")]),
    "columns": charts.columns("n", "N", [], axis="x"),
    "zero columns": charts.columns("n", "N", [("a", 0.0)], axis="x"),
    "bubbles": plots.bubbles("n", "N", [], x_axis="x", y_axis="y"),
    "bubbles at zero": plots.bubbles("n", "N", [Bubble(0, 0, 0, "")], x_axis="x", y_axis="y"),
    "timeline": plots.timeline("n", "N", [], axis="x", x_axis="y"),
    "stages": plots.stages("n", "N", {}),
    "zero stages": plots.stages("n", "N", {"a": 0.0}),
    "reliability": plots.reliability("n", "N", []),
}


@pytest.mark.parametrize("svg", NOTHING.values(), ids=NOTHING.keys())
def test_a_chart_of_nothing_is_still_a_drawing(svg: str) -> None:
    assert ElementTree.fromstring(svg).attrib["role"] == "img"
    assert not re.search("nan|inf", svg.lower().replace("info", ""))


@given(st.text(alphabet=st.characters(exclude_categories=("Cs", "Cc")), max_size=80), st.floats(0, 1e12))
def test_any_name_gives_well_formed_markup(name: str, value: float) -> None:
    bar = Bar(name, value, name, name)
    for svg in (
        charts.bars("x", name, [bar]),
        charts.divided("x", name, [bar]),
        charts.columns("x", name, [(name, value)], axis=name),
    ):
        ElementTree.fromstring(svg)


@given(st.floats(1e-9, 1e15))
def test_ticks_reach_the_top_and_are_few(top: float) -> None:
    marks = ticks(top)
    assert marks[0] == 0
    assert marks[-1] >= top * 0.998
    assert 2 <= len(marks) <= 7


@given(st.integers(0, 500), st.integers(2, 20))
def test_labels_are_few_and_inside(length: int, most: int) -> None:
    for chosen in (spread(length, most), steps(length, most)):
        assert len(chosen) <= most
        assert all(0 <= i < length for i in chosen)
        assert chosen == sorted(set(chosen))
    assert length == 0 or {0, length - 1} <= set(spread(length, most))
