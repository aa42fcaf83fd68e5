"""Times of many events at once are those of each by itself: texts as they are read, and what the clock's rules make of them."""

import random

from lakehouse.config import load
from lakehouse.events.clock import LONGEST_DELAY_DAYS, ClockReader, _told, instant, instants

CONFIG = load("dev", environ={})
READER = ClockReader(CONFIG.events)
DAY = 86_400_000_000
ARRIVED = instant("2026-03-01T12:00:00.000Z") or 0
TEXTS = [
    *(
        "2026-03-01T12:00:00.123Z",
        "2026-03-01 12:00:00.123Z",
        "2026-03-01t12:00:00.123z",
        "2026-03-01T12:00:00.123456Z",
    ),
    *("2026-03-01T12:00:00+0100", "2026-03-01T12:00:00+1900", "2026-03-01T12:00:00.1+01", "2026-03-01T12:00:00,123Z"),
    *(
        "0001-01-01T00:00:00.000Z",
        "9999-12-31T23:59:59.999Z",
        "1969-12-31T23:59:59.999Z",
        "2026-03-01",
        "1772366400000",
    ),
    *(
        "2026-03-01T24:00:00.000Z",
        "",
        " ",
        "soon",
        "\u0661026-03-01T12:00:00.123Z",
        "20260301T120000.000000Z",
        "xxxxxxxxxxxxxxxxxxxxxxxZ",
    ),
]
NO_TIMES = [
    "0000-01-01T00:00:00.000Z",
    "2026-02-29T12:00:00.000Z",
    "2026-03-01T12:00:60.000Z",
    "2026-03-01T12:61:00.000Z",
]


def test_texts_are_read_alike_one_by_one_and_together() -> None:
    many: list[list[str | None]] = [
        [*TEXTS],
        [*TEXTS, None, *NO_TIMES],
        *([*TEXTS, one] for one in NO_TIMES),
        [None],
        [],
    ]
    for texts in many:
        assert [*_told(*instants(texts))] == list(map(instant, texts))


def test_an_event_has_its_own_time_among_others() -> None:
    """Of times around every bound of a rule, and of times that are not there."""
    chance = random.Random(5)
    oldest, future = READER._oldest, READER._future
    bounds = [ARRIVED, ARRIVED + future, ARRIVED - LONGEST_DELAY_DAYS * DAY, oldest, oldest + LONGEST_DELAY_DAYS * DAY]

    def near() -> int | None:
        return None if chance.random() < 0.1 else chance.choice(bounds) + chance.choice([-1000, 0, 0, 1000])

    def text(moment: int | None) -> str | None:
        return chance.choice([None, "soon"]) if moment is None else f"{moment // 1000}"

    events = [(text(near()), text(near()), text(near()), near(), ARRIVED) for _ in range(4_000)]
    together = READER.column(*zip(*events, strict=True))
    for number, event in enumerate(events):
        received, original, sent, kafka, arrived = event
        alone = READER._read(
            (received, original, sent), (instant(received), instant(original), instant(sent)), kafka, arrived
        )
        assert together.received[number] == alone.received, event
        assert together.occurred[number] == alone.occurred, event
        assert together.is_clamped[number] == alone.is_clamped, event
        assert together.told.get(number) == (alone if alone.verdict is not None or alone.faults else None), event
    assert 500 < len(together.told) < 3_900
