import json
import math

import pytest

from lakehouse.errors import ModelError
from lakehouse.matching.model import FORMAT, HOUSEHOLD, Level, MatchModel, Sharing
from tests.lakehouse.matching.match_models import PEOPLE, model_of

MODEL = model_of(
    PEOPLE,
    rules=(("0.value", "2.year"), ("names.sound",)),
    frequent={0: {"k1:ab": -1.5}},
    rare_bits=4.25,
    sharing=(Sharing(name="household", prior=0.02, shared=(0.01, 0.9, 0.02)),),
)


def _parameters():
    return json.loads(json.dumps(MODEL.to_parameters()))


def test_a_model_survives_json_and_takes_its_version_from_the_registry():
    assert "version" not in _parameters()
    assert MatchModel.from_parameters(_parameters(), "v7") == MODEL
    assert MatchModel.from_parameters(_parameters(), "v8").version == "v8"


def test_the_evidence_of_a_pair_is_its_fields_and_the_household():
    assert MODEL.evidence_names == ("first", "last", "dob", HOUSEHOLD)
    assert model_of(PEOPLE).evidence_names == ("first", "last", "dob")


def test_bits_are_the_logarithm_of_m_over_u():
    assert Level(label="exact", m=0.8, u=0.1).bits == pytest.approx(3.0)
    assert Level(label="else", m=0.05, u=0.8).bits == pytest.approx(-4.0)


@pytest.mark.parametrize("other", [FORMAT + 1, None, "1"])
def test_another_format_is_refused_with_what_to_do(other):
    with pytest.raises(
        ModelError, match=rf"v7: format, got {other!r}, expected {FORMAT}. Run ./spark-submit.sh ml/train_identity.py"
    ):
        MatchModel.from_parameters(_parameters() | {"format": other}, "v7")


@pytest.mark.parametrize(
    "part", ["prior", "comparisons", "rules", "max_block", "least_probability", "region", "sharing"]
)
def test_a_missing_part_is_named(part):
    parameters = {name: value for name, value in _parameters().items() if name != part}
    with pytest.raises(ModelError, match=rf"v7: incomplete, got KeyError\('{part}'\).*train_identity.py"):
        MatchModel.from_parameters(parameters, "v7")


def _changed(place):
    parameters = _parameters()
    comparison = parameters["comparisons"][0]
    if place == "levels":
        del comparison["levels"][1]
    elif place == "label":
        comparison["levels"][1]["label"] = "jaro"
    elif place == "kind":
        comparison["field"]["kind"] = "shoe"
    elif place == "m":
        comparison["levels"][0]["m"] = 0.0
    elif place == "u":
        comparison["levels"][0]["u"] = math.nan
    elif place == "prior":
        parameters["prior"] = 1
    elif place == "shared":
        parameters["sharing"][0]["shared"][1] = 1.5
    elif place == "short":
        del parameters["sharing"][0]["shared"][1]
    elif place == "share":
        parameters["sharing"][0]["prior"] = 0
    elif place == "together":
        parameters["sharing"][0]["prior"] = 0.995
    elif place == "field":
        del comparison["field"]["sources"]
    elif place == "source":
        comparison["field"]["sources"][0]["colour"] = "blue"
    return parameters


@pytest.mark.parametrize(
    ("place", "said"),
    [
        ("levels", "levels of first, got .*, expected .*'elsewhere'"),
        ("label", "levels of first, got .*'jaro'.*, expected .*'elsewhere'"),
        ("kind", "kind of first, got 'shoe', expected one of .*'given_name'"),
        ("m", r"m and u of first, exact, got \(0.0, "),
        ("u", r"m and u of first, exact, got \(0.5, nan\)"),
        ("prior", "prior, got 1.0, expected a probability between 0 and 1"),
        ("shared", r"sharing household, got \(0.01, 1.5, 0.02\), expected 3 probabilities"),
        ("short", r"sharing household, got \(0.01, 0.02\), expected 3 probabilities"),
        ("share", "prior of sharing household, got 0.0, expected a probability between 0 and 1"),
        ("together", r"prior and those of sharing, got \[0.995\], expected less than 1 together"),
        ("field", r"incomplete, got KeyError\('sources'\)"),
        ("source", "incomplete, got TypeError.*colour"),
    ],
)
def test_what_this_version_of_the_code_cannot_use_is_named(place, said):
    with pytest.raises(ModelError, match=f"identity model v7: {said}.*Run ./spark-submit.sh ml/train_identity.py"):
        MatchModel.from_parameters(_changed(place), "v7")
