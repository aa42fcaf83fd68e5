import dataclasses
import random

import numpy as np
import pandas as pd
import pytest

from lakehouse.config import load
from lakehouse.errors import ModelError
from lakehouse.matching.fields import fields
from lakehouse.matching.levels import ELSE, GENERATION
from lakehouse.matching.model import MatchModel
from lakehouse.matching.records import atoms
from lakehouse.matching.training import FEW, _refuse_guesswork, train
from tests.lakehouse.matching.labelled import accuracy, kept_pairs, linked, scored_pairs

COMPARED = fields({"first": "given_name", "last": "family_name", "dob": "date", "zip": "code"})
_FIRST = ["ann", "bob", "kay", "lea", "tom", "eve", "ian", "zoe", "max", "dot"]


def _people(count, *, twice=0):
    """Records of `count` people; the first `twice` of them have a second one with another postal code."""
    chance = random.Random(11)
    rows = [
        (
            chance.choice(_FIRST),
            f"n{chance.randrange(10**5)}",
            f"{19500101 + chance.randrange(500_000)}",
            f"{90000 + n}",
        )
        for n in range(count)
    ]
    return [*rows, *((first, last, dob, f"1{zip_}") for first, last, dob, zip_ in rows[:twice])]


def _values(rows):
    """Rows of v0, v1, ... -> what training takes, with few atoms."""
    count = len(rows[0])
    frame = pd.DataFrame(rows, columns=[f"v{i}" for i in range(count)], dtype="str")
    frame = frame.assign(**{f"{i}.value": frame[f"v{i}"] for i in range(count)})
    return frame.assign(**{"names.value": frame["v0"] + "~" + frame["v1"]})


def _train(config, rows, compared=COMPARED):
    return train(_values(rows), compared, config.matching, config.privacy, region="US")


@pytest.fixture(scope="module")
def sixty_twice():
    """What is learned of 200 people, sixty of them twice."""
    return _train(load("dev", environ={}), _people(200, twice=60))


@pytest.mark.parametrize(("name", "least"), [("fake_1000", 0.94), ("febrl3", 0.998)])
def test_people_are_found_without_labels_or_settings_for_the_data(trained_on, scored_on, name, least):
    data = trained_on(name)
    assert data.config.matching.seed == 7
    assert accuracy(scored_on(name), data).f1 >= least
    assert len(data.model.rules) <= data.config.matching.max_rules


def test_the_same_records_give_the_same_model(trained_on):
    data = trained_on("fake_1000")
    again = train(data.values, data.fields, data.config.matching, data.config.privacy, region="US")
    assert again.model.to_parameters() == data.model.to_parameters()
    assert again == data.trained


def test_the_order_of_the_records_changes_nothing_that_matters(spark, trained_on, scored_on):
    data = trained_on("fake_1000")
    order = np.random.default_rng(3).permutation(len(data.values))
    values = data.values.iloc[order].reset_index(drop=True)
    other = train(values, data.fields, data.config.matching, data.config.privacy, region="US").model
    assert other.prior == pytest.approx(data.model.prior, rel=0.01)
    scores = scored_on("fake_1000"), scored_pairs(spark, data, other)
    both = [kept_pairs(scored, model) for scored, model in zip(scores, (data.model, other), strict=True)]
    weights = [one.set_index(["actor_l", "actor_r"])["weight"] for one in both]
    weights = pd.concat(weights, axis=1, join="inner").to_numpy()
    assert len(weights) > 1000
    assert np.abs(weights[:, 0] - weights[:, 1]).max() < 0.2
    groups = [linked(one, len(values), least=data.config.matching.match_probability) for one in both]
    assert np.mean(np.array(groups[0]) == np.array(groups[1])) > 0.99


def test_duplicates_are_expected_and_what_makes_them_up_weighs_most(sixty_twice):
    trained = sixty_twice
    assert trained.records == 260
    assert trained.expected_matches == pytest.approx(60, abs=3)
    bits = {c.field.name: c.levels[0].bits for c in trained.model.comparisons}
    assert min(bits["last"], bits["dob"]) > bits["first"] > 0
    zip_code = next(c for c in trained.model.comparisons if c.field.name == "zip")
    of_zip = {level.label: level.bits for level in zip_code.levels}
    assert of_zip["1 letter"] > 1 > 0 > of_zip["else"]  # which is how the second ones differ


def test_birthdays_mistyped_by_a_generation_take_nothing_from_birthdays_with_nothing_in_common(config):
    people = _people(200)
    as_it_was = [(first, last, dob, f"1{zip_}") for first, last, dob, zip_ in people[:60]]
    # 1957 becomes 1992: two digits, and as many years as between parent and child.
    mistyped = [
        (first, last, f"{dob[:2]}{(int(dob[2]) + 4) % 10}{(int(dob[3]) + 5) % 10}{dob[4:]}", zip_)
        for first, last, dob, zip_ in as_it_was
    ]

    def bits(rows):
        birthday = next(c for c in _train(config, [*people, *rows]).model.comparisons if c.field.name == "dob")
        return {level.label: level.bits for level in birthday.levels}

    clean, dirty = bits(as_it_was), bits([*as_it_was[:40], *mistyped[40:]])
    assert dirty[GENERATION] > clean[GENERATION] + 1
    assert dirty[ELSE] == pytest.approx(clean[ELSE], abs=0.3)


def test_a_frequent_value_is_held_as_a_token_and_counts_less_than_a_rare_one(config, sixty_twice):
    first = next(c for c in sixty_twice.model.comparisons if c.field.name == "first")
    assert len(first.frequent) == len(_FIRST)
    assert all(name.startswith(f"{config.privacy.hmac_key_id}:") for name in first.frequent)
    last = next(c for c in sixty_twice.model.comparisons if c.field.name == "last")
    assert last.frequent == {}
    assert last.rare_bits == pytest.approx(np.log2(last.levels[0].u * 199), abs=0.2)  # of 199 or 200 different names


def test_among_people_of_whom_nobody_is_there_twice_nobody_is_expected_but_there_are_rules_for_those_to_come(
    trained_on,
):
    data = trained_on("fake_1000")
    assert data.people.truth is not None
    firsts = ~pd.Series(data.people.truth).duplicated().to_numpy()
    values = data.values[firsts].reset_index(drop=True)
    trained = train(values, data.fields, data.config.matching, data.config.privacy, region="US")
    assert trained.expected_matches < 0.2
    assert all(comparison.levels[-1].bits < -3 for comparison in trained.model.comparisons)
    assert trained.model.rules


def test_too_few_records_are_an_error(config):
    with pytest.raises(ModelError, match=f"got {FEW - 1}, expected {FEW} or more"):
        _train(config, _people(FEW - 1))


def test_no_values_in_common_are_an_error(config):
    rows = [(f"a{n}", f"b{n}", f"{19500101 + n}", f"{10000 + n}") for n in range(FEW)]
    with pytest.raises(ModelError, match="no two have two values in common"):
        _train(config, rows)


@pytest.mark.parametrize("row", [("ann", "lee", "19850105", "98101"), ("ann", None, None, None), (None,) * 4])
def test_records_all_alike_are_an_error_that_names_the_fields(config, row):
    with pytest.raises(ModelError, match="first, last, dob, zip: no two different values in 30 records"):
        _train(config, [row] * 30)


@pytest.mark.parametrize("constant", ["ann", None])
@pytest.mark.usefixtures("spark")
def test_a_field_of_one_value_or_none_is_left_out_and_so_are_the_names_made_of_it(config, caplog, constant):
    rows = [(constant, *rest) for _, *rest in _people(100, twice=30)]
    model = _train(config, rows).model
    assert [field.name for field in model.fields] == ["last", "dob", "zip"]
    assert "field first: no two different values, left out" in caplog.text
    assert {name for rule in model.rules for name in rule} <= set(atoms(model.fields))
    assert MatchModel.from_parameters(model.to_parameters(), "") == model


@pytest.mark.usefixtures("spark")
def test_names_stay_an_atom_when_another_field_is_left_out(config):
    rows = [(first, last, None, zip_) for first, last, _, zip_ in _people(100, twice=30)]
    only_names = dataclasses.replace(config.matching, max_rules=1)
    values = _values(rows).drop(columns=["1.value", "3.value", "0.value"])
    model = train(values, COMPARED, only_names, config.privacy, region="US").model
    assert model.rules == (("names.value",),)
    assert "names.value" in atoms(model.fields)


def test_a_matcher_that_mostly_guesses_is_refused():
    with pytest.raises(ModelError, match="do not tell people apart, got 100% of the expected matches uncertain"):
        _refuse_guesswork(np.full(100, 0.6))
    _refuse_guesswork(np.concatenate([np.full(100, 0.99), np.full(100, 0.3)]))
    _refuse_guesswork(np.full(3, 0.2))  # nobody is expected twice: no harm done


@pytest.mark.parametrize("missing", [None, "ann"])
def test_households_without_given_names_and_birthdays_are_refused(config, missing):
    rows = [(missing, last, missing, zip_) for _, last, _, zip_ in _people(100, twice=30)]
    with pytest.raises(
        ModelError, match="people of one household cannot be told apart, got last and no trait of kind given_name"
    ):
        _train(config, rows)
