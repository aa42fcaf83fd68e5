"""Hypothesis strategies: well-typed rule texts over the whole vocabulary, and contexts to evaluate them on."""

from datetime import UTC, datetime, timedelta

from hypothesis import strategies as st

from lakehouse.rules.vocabulary import VOCABULARY, Type

NAMES = {
    type_: [term.name for term in VOCABULARY.values() if term.type == type_]
    for type_ in ("number", "text", "boolean", "time", "texts")
}
WORDS = ("", "x", "kit-003", "Product Viewed", "ÄÖ ß", "İstanbul", "日本", "🙂a", " padded ", "A_b%c", "it", "gold")
ZONES = ("Europe/Berlin", "America/New_York", "Asia/Kolkata", "Australia/Lord_Howe", "UTC")
NUMBERS = ("0", "1", "2.5", "-3", "1e300", "0.1", "9007199254740993", "-0.0")


def _quoted(word: str) -> str:
    return f"'{word}'"


def _time() -> st.SearchStrategy[str]:
    moved = st.builds(
        "{} {} interval {} {}".format,
        st.sampled_from(NAMES["time"]),
        st.sampled_from("+-"),
        st.integers(0, 400),
        st.sampled_from(["second", "minutes", "hour", "days", "week"]),
    )
    zoned = st.builds("from_utc_timestamp({}, '{}')".format, st.sampled_from(NAMES["time"]), st.sampled_from(ZONES))
    literal = st.sampled_from(["timestamp '2026-03-29 00:30:00'", "timestamp '2026-10-25 01:30:00+02:00'"])
    return st.one_of(st.sampled_from(NAMES["time"]), moved, zoned, literal)


def texts(type_: Type, depth: int = 3) -> st.SearchStrategy[str]:
    """Texts of expressions of the type, at most so deep."""
    leaf = {
        "number": st.one_of(st.sampled_from(NAMES["number"]), st.sampled_from(NUMBERS)),
        "text": st.one_of(st.sampled_from(NAMES["text"]), st.sampled_from(WORDS[:-2]).map(_quoted)),
        "boolean": st.one_of(st.sampled_from(NAMES["boolean"]), st.sampled_from(["true", "false"])),
        "time": _time(),
        "texts": st.one_of(st.sampled_from(NAMES["texts"]), st.sampled_from(["array()", "array('x', 'kit-003')"])),
    }[type_]
    if depth == 0:
        return leaf
    return st.one_of(leaf, *_composed(type_, depth - 1))


def _composed(type_: Type, depth: int) -> list[st.SearchStrategy[str]]:
    def of(kind: Type) -> st.SearchStrategy[str]:
        return texts(kind, depth)

    build = st.builds
    same = [
        build("coalesce({}, {})".format, of(type_), of(type_)),
        build("if({}, {}, {})".format, of("boolean"), of(type_), of(type_)),
        build("case when {} then {} when {} then {} end".format, of("boolean"), of(type_), of("boolean"), of(type_)),
    ]
    if type_ in ("number", "text", "time"):
        same += [build("{}({}, {})".format, st.sampled_from(["greatest", "least"]), of(type_), of(type_))]
    if type_ == "number":
        return [
            *same,
            build("({} {} {})".format, of("number"), st.sampled_from("+-*/"), of("number")),
            build("{}({})".format, st.sampled_from(["abs", "-"]), of("number")),
            build("length({})".format, of("text")),
            build("size({})".format, of("texts")),
            build("{}({})".format, st.sampled_from(["hour", "minute", "dayofweek"]), of("time")),
            build("datediff({}, {})".format, of("time"), of("time")),
            build(
                "timestampdiff({}, {}, {})".format, st.sampled_from(["HOUR", "DAY", "MINUTE"]), of("time"), of("time")
            ),
        ]
    if type_ == "text":
        return [
            *same,
            build("{}({})".format, st.sampled_from(["lower", "upper", "trim"]), of("text")),
            build("concat({}, {})".format, of("text"), of("text")),
        ]
    if type_ == "boolean":
        return [*same, *_booleans(of)]
    return same


def _booleans(of: object) -> list[st.SearchStrategy[str]]:
    build, comparisons = st.builds, st.sampled_from(["=", "<>", "<", "<=", ">", ">=", "<=>"])
    compared = [build("({} {} {})".format, of(kind), comparisons, of(kind)) for kind in ("number", "text", "time")]  # type: ignore[operator]
    return [
        *compared,
        build("({} {} {})".format, of("boolean"), st.sampled_from(["and", "or", "=", "<>", "<=>"]), of("boolean")),  # type: ignore[operator]
        build("(not {})".format, of("boolean")),  # type: ignore[operator]
        build("({} is {}null)".format, of("text"), st.sampled_from(["", "not "])),  # type: ignore[operator]
        build("({} in ({}, {}))".format, of("text"), of("text"), of("text")),  # type: ignore[operator]
        build("({} between {} and {})".format, of("number"), of("number"), of("number")),  # type: ignore[operator]
        build(
            "({} {}like '{}')".format,
            of("text"),
            st.sampled_from(["", "not "]),
            st.sampled_from(["%", "x%", "_", "%b%", "🙂_", "A_b%c", "İ%"]),
        ),  # type: ignore[operator]
        build("{}({}, {})".format, st.sampled_from(["contains", "startswith", "endswith"]), of("text"), of("text")),  # type: ignore[operator]
        build("array_contains({}, {})".format, of("texts"), of("text")),  # type: ignore[operator]
        build("arrays_overlap({}, {})".format, of("texts"), of("texts")),  # type: ignore[operator]
    ]


_VALUES = {
    "number": st.one_of(st.floats(width=64), st.sampled_from([0.0, -0.0, 1.0, 2.5, float("nan"), float("inf")])),
    "text": st.one_of(
        st.sampled_from(WORDS), st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=4)
    ),
    "boolean": st.booleans(),
    "time": st.one_of(
        st.datetimes(datetime(1971, 1, 1), datetime(2037, 12, 31)).map(lambda at: at.replace(tzinfo=UTC)),
        st.integers(-100, 100).map(lambda hours: datetime(2026, 3, 29, 1, tzinfo=UTC) + timedelta(hours=hours)),
    ),
    "texts": st.lists(st.sampled_from(WORDS), max_size=3),
}


def contexts() -> st.SearchStrategy[dict[str, object]]:
    """Every word of the vocabulary, or null."""
    return st.fixed_dictionaries({name: st.one_of(st.none(), _VALUES[term.type]) for name, term in VOCABULARY.items()})
