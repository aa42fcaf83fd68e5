import dataclasses

import pandas as pd

from lakehouse.config import load
from lakehouse.events.identifiers import resolve
from lakehouse.identity.rules_fingerprint import fingerprint, is_blocked

CONFIG = load("dev", environ={})


def blocking(*values: str, type_: str | None = None):
    identity = CONFIG.identity
    if type_ is None:
        return dataclasses.replace(CONFIG, identity=dataclasses.replace(identity, blocked_values=values))
    rule = dataclasses.replace(identity.rules[type_], blocked_values=values)
    rules = {**identity.rules, type_: rule}
    return dataclasses.replace(CONFIG, identity=dataclasses.replace(identity, rules=rules))


def edges(*identifiers: tuple[str, str]) -> pd.DataFrame:
    return pd.DataFrame(identifiers, columns=["identifier_type", "identifier_token"])


def test_a_stored_value_that_is_blocked_now_is_found_and_its_neighbours_are_not():
    stored = edges(("device_id", "kiosk"), ("device_id", "phone"), ("match", "kiosk"))
    assert is_blocked(stored, blocking("kiosk")).tolist() == [True, False, False]


def test_a_hidden_value_is_found_by_its_token():
    token = resolve("email", "front.desk@hotel.org", CONFIG)
    other = resolve("email", "guest@hotel.org", CONFIG)
    stored = edges(("email", token), ("email", other))
    assert is_blocked(stored, CONFIG).tolist() == [False, False]
    assert is_blocked(stored, blocking("front.desk@hotel.org", type_="email")).tolist() == [True, False]


def test_other_rules_have_another_fingerprint_and_the_same_the_same():
    assert fingerprint(CONFIG) == fingerprint(load("dev", environ={}))
    assert fingerprint(CONFIG) != fingerprint(blocking("kiosk"))
