from itertools import islice, pairwise
from random import Random

import pytest

from lakehouse.demo.shop import visits
from lakehouse.demo.shop.clock import DAYS, END_MS
from lakehouse.demo.shop.devices import kiosk
from lakehouse.demo.shop.people import people
from lakehouse.demo.shop.visits import Visit, order_days, plan


@pytest.fixture(scope="module")
def plans() -> list[list[Visit]]:
    kiosks = (kiosk(Random(0), 0),)
    return [plan(person, Random(person.number), kiosks) for person in islice(people(7), 600)]


def test_everybody_comes_at_least_once_and_in_order_of_time(plans: list[list[Visit]]) -> None:
    assert all(planned for planned in plans)
    assert all(a.start <= b.start for planned in plans for a, b in pairwise(planned))
    assert all(visit.steps and visit.start < END_MS for planned in plans for visit in planned)


def test_only_people_with_an_account_log_in_and_only_others_buy_as_guests(plans: list[list[Visit]]) -> None:
    for visit in (visit for planned in plans for visit in planned):
        if visit.person.user_id is None:
            assert not visit.is_known
            assert not set(visit.steps) & {visits.LOGIN, visits.ALIAS, visits.GROUP, visits.ECHO}
        else:
            assert visits.GUEST not in visit.steps


def test_an_account_holder_is_known_when_an_order_is_completed(plans: list[list[Visit]]) -> None:
    for visit in (visit for planned in plans for visit in planned):
        if visits.ORDER in visit.steps and visit.person.user_id:
            before = visit.steps[: visit.steps.index(visits.ORDER)]
            assert visit.is_known or visits.LOGIN in before


def test_an_account_holder_always_says_who_it_is_on_the_shared_tablet(plans: list[list[Visit]]) -> None:
    shared = [v for planned in plans for v in planned if v.device and v.device is v.person.shared and v.person.user_id]
    assert shared
    assert all(visit.is_known or visits.LOGIN in visit.steps for visit in shared)


def test_order_days_lie_in_the_calendar_and_browsers_have_none() -> None:
    for person in islice(people(7), 300):
        days = order_days(person, Random(person.number))
        assert all(0 <= day < DAYS for day in days)
        assert bool(days) or person.behaviour.name in {"browser", "lapsing", "loyal", "bargain"}
        assert person.behaviour.name != "browser" or not days
