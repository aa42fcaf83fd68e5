from collections import defaultdict
from typing import Any

from lakehouse.demo.evaluation import identifiers, unit_scores
from tests.lakehouse.demo.shop.oracle_resolver import resolve


def carriers(run: Any, kind: str) -> dict[str, set[str]]:
    """Identifier of a kind -> people who carry it."""
    found: dict[str, set[str]] = defaultdict(set)
    for unit in run.truth.units:
        for type_, value in identifiers(unit):
            if type_ == kind:
                found[value].add(unit.person_id)
    return found


def test_the_reference_resolver_finds_the_people(full: Any) -> None:
    scores = unit_scores(full.truth, resolve(full.truth))
    assert scores.precision >= 0.995
    assert scores.reachable_recall >= 0.99
    assert scores.unassigned == 0


def test_the_planned_world_is_neither_trivial_nor_fully_reachable(full: Any) -> None:
    scores = unit_scores(full.truth, resolve(full.truth))
    assert scores.precision < 1
    assert 0.8 < scores.reachable_pairs / scores.person_pairs < 0.97
    alone = unit_scores(full.truth, {n: str(n) for n in range(len(full.truth.units))})
    assert alone.reachable_recall == 0


def test_following_every_identifier_without_the_rule_would_join_strangers(full: Any) -> None:
    parent = list(range(len(full.truth.units)))

    def root(n: int) -> int:
        while parent[n] != n:
            n = parent[n]
        return n

    first: dict[tuple[str, str], int] = {}
    for n, unit in enumerate(full.truth.units):
        for identifier in identifiers(unit):
            parent[root(n)] = root(first.setdefault(identifier, n))
    scores = unit_scores(full.truth, {n: str(root(n)) for n in range(len(full.truth.units))})
    assert scores.precision < 0.6


def test_a_user_id_is_one_persons_and_a_kiosk_is_everybodys(full: Any) -> None:
    assert max(map(len, carriers(full, "user_id").values())) == 1
    assert max(map(len, carriers(full, "loyalty_id").values())) == 1
    kiosks = {value: len(people) for value, people in carriers(full, "device_id").items() if value.startswith("kiosk")}
    assert len(kiosks) == 2
    assert min(kiosks.values()) > 15


def test_shared_tablets_landlines_and_wrong_addresses_occur(full: Any) -> None:
    shared = {kind: sum(len(p) > 1 for p in carriers(full, kind).values()) for kind in ("device_id", "phone", "email")}
    assert shared["device_id"] > 25
    assert shared["phone"] >= 3
    assert shared["email"] in range(1, 6)


def test_people_have_several_devices_and_till_and_call_know_one_identifier(full: Any) -> None:
    cookies: dict[str, set[str]] = defaultdict(set)
    lone = set()
    for unit in full.truth.units:
        carried = identifiers(unit)
        cookies[unit.person_id] |= {value for kind, value in carried if kind == "anonymous_id"}
        if len(carried) == 1:
            lone.add(carried[0][0])
    assert sum(len(values) >= 3 for values in cookies.values()) > 200
    assert lone >= {"loyalty_id", "email", "phone", "anonymous_id", "user_id"}
