"""Matching through its indexes, on real Delta tables, by a driver that dies between writes: what one matching of everybody comes to."""

import random
from collections.abc import Callable
from typing import Any

import pytest

from lakehouse.lake import local_index
from lakehouse.lake.delta import Lake
from lakehouse.lake.local_index import LocalIndex
from lakehouse.matching.model import MatchModel
from lakehouse.profiles.stitching.resolution import IdentityStep
from lakehouse.tables.identity import SILVER_IDENTITY_REVIEW
from tests.lakehouse.profiles.stitching.test_match_pairs import HOUSEHOLDS, MODEL, described, differences, take
from tests.small_lake import copy_empty_tables

MOST_EFFECTS = 12  # of one micro-batch on silver and the indexes


class Died(Exception):
    """The driver died."""


class Fuse:
    """Lets so many effects happen, tables' and indexes', then dies at each; None = all of them."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.left: int | None = None
        for owner, name in ((Lake, "add"), (Lake, "upsert"), (Lake, "overwrite"), (LocalIndex, "commit")):
            monkeypatch.setattr(owner, name, self.wired(getattr(owner, name)))

    def wired(self, effect: Callable[..., None]) -> Callable[..., None]:
        def act(*words: Any, **named: Any) -> None:
            if self.left == 0:
                raise Died
            self.left = None if self.left is None else self.left - 1
            effect(*words, **named)

        return act


@pytest.fixture
def fuse(monkeypatch: pytest.MonkeyPatch) -> Fuse:
    return Fuse(monkeypatch)


def people(chance: random.Random) -> list[dict[str, Any]]:
    """Nine of a few names and birthdays, so that blocks grow past their cap; four say something else later."""
    firsts, lasts, days = ["Ann", "Anna", "Bo"], ["Lee", "Li", "Poe"], ["1980-01-01", "1980-02-01", "1991-07-07"]
    rows = [described(n, chance.choice(firsts), chance.choice(lasts), chance.choice(days)) for n in range(9)]
    for number in chance.sample(range(9), 4):
        rows.append(described(number, chance.choice(firsts), "Lee", "1980-01-01", minute=5))
    chance.shuffle(rows)
    return rows


def dies(fuse: Fuse, effects: int, *batch: Any) -> bool:
    fuse.left = effects
    try:
        take(*batch)
    except Died:
        return True
    finally:
        fuse.left = None
    return False


def new_process(lake: Lake, *, has_lost_indexes: bool) -> IdentityStep:
    for folder in [folder for folder in local_index._OPEN if str(folder).startswith(lake.root)]:
        index = local_index._OPEN.pop(folder)
        if has_lost_indexes:
            index.clear()
        index.close()
    return IdentityStep(lake)


@pytest.mark.parametrize(("seed", "matcher"), [(0, MODEL), (1, HOUSEHOLDS)])
def test_a_stream_that_dies_anywhere_comes_to_what_one_matching_of_everybody_does(
    lake: Lake, fuse: Fuse, seed: int, matcher: MatchModel
) -> None:
    """In any order and batching, replayed or not, although blocks grow past their cap."""
    chance = random.Random(seed)
    rows = people(chance)
    copy_empty_tables(lake)
    take(lake, identity := IdentityStep(lake), rows[:1], 0, matcher)
    deaths = 0
    for batch_id, first in enumerate(range(1, len(rows), 4), start=1):
        part = rows[first : first + 4]
        died = dies(fuse, chance.randrange(MOST_EFFECTS), lake, identity, part, batch_id, matcher)
        deaths += died
        if chance.random() < 0.7:  # else the same process tries again
            identity = new_process(lake, has_lost_indexes=chance.random() < 0.5)
        if died or chance.random() < 0.3:
            take(lake, identity, part, batch_id, matcher)
    assert deaths > 0
    assert set(differences(lake, rows, matcher).values()) == {0}


def test_a_pair_comes_to_one_row_wherever_the_driver_dies_that_found_it(lake: Lake, fuse: Fuse) -> None:
    rows = [
        described(n, "Robert", f"Allen{'abcdefghijklmnop'[n // 2]}", f"19{40 + n // 2}-06-24")
        for n in range(2 * MOST_EFFECTS)
    ]
    copy_empty_tables(lake)
    take(lake, identity := IdentityStep(lake), rows[::2], 0)
    seconds = rows[1::2]
    for effects, second in enumerate(seconds):
        has_died = dies(fuse, effects, lake, identity, [second], effects + 1)
        if not has_died:
            break  # a micro-batch has no more effects than that
        take(lake, identity := new_process(lake, has_lost_indexes=False), [second], effects + 1)
    assert not has_died, f"a micro-batch has more than {MOST_EFFECTS} effects"
    assert lake.read(SILVER_IDENTITY_REVIEW).count() == effects + 1
    assert set(differences(lake, rows[::2] + seconds[: effects + 1], MODEL).values()) == {0}
