"""How much two values of a kind agree: SQL conditions that Spark and DuckDB read alike, strongest first.

Over columns `v<i>_l` and `v<i>_r`, the values of field i on both sides, and `d<i>`, their Levenshtein distance. Integer
arithmetic and ASCII text only: that is what makes the two engines agree to the last bit.
"""

from collections.abc import Sequence

from lakehouse.matching import fields as kinds
from lakehouse.matching.fields import LINES, NAMES, Field
from lakehouse.matching.normalise import INSTANT
from lakehouse.matching.short_names import are_one_name

EXACT, GENERATION, ELSE = "exact", "generation", "else"
_GENERATION = 14  # years: nobody's parent is younger


def distance(index: int) -> str:
    """The Levenshtein distance of field `index`; of long values that are equal it is not computed."""
    left, right = f"v{index}_l", f"v{index}_r"
    return f"CASE WHEN {left} = {right} THEN 0 ELSE levenshtein({left}, {right}) END"


def levels(fields: Sequence[Field], index: int, apart: str = "") -> list[tuple[str, str]]:
    """(label, condition) of one field, strongest first, without the last one, ELSE; not for null values.

    Label EXACT is always the first. `apart`: SQL of the distance where there is no column `d<i>`.
    """
    kind = fields[index].kind
    left, right, apart = f"v{index}_l", f"v{index}_r", apart or f"d{index}"
    longest, shortest = f"greatest(length({left}), length({right}))", f"least(length({left}), length({right}))"
    begins = f"left({left}, {shortest}) = left({right}, {shortest})"
    # Two different letters or digits, all there is, are no typing error.
    near = [("1 letter", f"{apart} <= 1 AND {shortest} >= 2"), ("2 letters", f"{apart} <= 2 AND {shortest} >= 4")]
    exact = [(EXACT, f"{left} = {right}")]
    if kind in NAMES:
        short_form = f"{shortest} >= 3 AND {begins}"
        if kind == kinds.GIVEN_NAME:
            short_form += f" OR {are_one_name(left, right)}"
        likeness = [near[0], ("short form", short_form), near[1]]
        likeness += [("initial", f"{shortest} = 1 AND {begins}"), ("alike", f"5 * {apart} <= 2 * {longest}")]
        return exact + _swapped(fields, index, NAMES) + likeness
    if kind == kinds.DATE:
        turned = f"substr({left}, 5, 4) = concat(substr({right}, 7, 2), substr({right}, 5, 2))"
        same_year = f"length({left}) = 8 AND left({left}, 4) = left({right}, 4)"
        same_day, day_beside = _days(left, right)
        return [
            (EXACT, f"{left} = {right} OR {same_day}"),
            ("1 digit", f"{apart} <= 1 OR ({same_year} AND {turned}) OR {day_beside}"),
            *[(label, f"({near}) AND NOT {_generation_apart(left, right)}") for label, near in _up_to(apart, 2, 3)],
            (GENERATION, f"{apart} <= 3"),
        ]
    if kind == kinds.EMAIL:
        user = f"split_part({left}, '@', 1) = split_part({right}, '@', 1) AND instr({left}, '@') <> 1"
        return [*exact, ("2 letters", f"{apart} <= 2"), ("user", user), ("alike", f"10 * {apart} <= 3 * {longest}")]
    if kind == kinds.PHONE:
        return [*exact, ("1 digit", f"{apart} <= 1"), *_up_to(apart, 2)]
    if kind == kinds.CODE:
        return [*exact, *near, ("beginning", f"{shortest} >= 5 AND left({left}, 3) = left({right}, 3)")]
    if kind == kinds.CATEGORY:
        return [*exact, ("alike", f"{shortest} >= 5 AND {apart} <= 1")]
    within = f"{shortest} >= 5 AND (instr({left}, {right}) > 0 OR instr({right}, {left}) > 0)"
    likeness = [near[0], ("1 in 5", f"5 * {apart} <= {longest}"), ("within", within)]
    return exact + _swapped(fields, index, LINES) + likeness + [("2 in 5", f"5 * {apart} <= 2 * {longest}")]


def _days(left: str, right: str) -> tuple[str, str]:
    """Where one of the two days was read off a time of day: they are the same, they follow on each other."""
    is_instant = " OR ".join(f"(length({side}) = 9 AND right({side}, 1) = '{INSTANT}')" for side in (left, right))
    parts = [f"concat(left({side}, 4), '-', substr({side}, 5, 2), '-', substr({side}, 7, 2))" for side in (left, right)]
    one, other = (f"TRY_CAST({part} AS DATE)" for part in parts)
    return f"(({is_instant}) AND {one} = {other})", f"(({is_instant}) AND ({one} + 1 = {other} OR {other} + 1 = {one}))"


def _generation_apart(left: str, right: str) -> str:
    """Whether the years are as far apart as those of parent and child: then two or three other digits are hardly a slip.

    A level of its own: in dirty data some are one, and among birthdays with nothing in common they would take from what those say.
    """
    years = (f"TRY_CAST(left({side}, 4) AS INT)" for side in (left, right))
    is_whole = f"least(length({left}), length({right})) >= 8"
    return f"coalesce({is_whole} AND abs({' - '.join(years)}) >= {_GENERATION}, FALSE)"


def _up_to(apart: str, *counts: int) -> list[tuple[str, str]]:
    return [(f"{count} digits", f"{apart} <= {count}") for count in counts]


def _swapped(fields: Sequence[Field], index: int, group: Sequence[str]) -> list[tuple[str, str]]:
    """The value stands in another field of the other record: names and address lines change places.

    Of a given name the other two names must be alike as well, if there are any: `lee ann` and `bob lee` have a family name in
    common, and that stands in the wrong place. It says nothing of their given names.
    """
    others = [other for other, field in enumerate(fields) if field.kind in group and other != index]
    pairs = []
    for other in others:
        for one, two in (("l", "r"), ("r", "l")):
            met = f"v{index}_{one} = v{other}_{two}"
            left, right = f"v{other}_{one}", f"v{index}_{two}"
            if fields[index].kind == kinds.GIVEN_NAME:
                alike = f"5 * levenshtein({left}, {right}) <= 2 * greatest(length({left}), length({right}))"
                met = f"({met} AND coalesce({alike}, TRUE))"
            pairs.append(met)
    return [("elsewhere", " OR ".join(pairs))] if pairs else []
