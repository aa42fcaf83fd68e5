import pytest

from lakehouse.errors import ConfigError
from lakehouse.matching.fields import Field, FieldSource, fields


def _field(name, kind, *sources):
    return Field(name=name, kind=kind, sources=tuple(FieldSource(trait=trait, part=part) for trait, part in sources))


def test_every_trait_is_a_field_and_names_come_first():
    assert fields({"dob": "date", "last": "family_name", "first": "given_name", "town": "address"}) == (
        _field("first", "given_name", ("first", "")),
        _field("last", "family_name", ("last", "")),
        _field("dob", "date", ("dob", "")),
        _field("town", "address", ("town", "")),
    )


def test_a_whole_name_fills_what_separate_names_leave_out():
    assert fields({"first": "given_name", "name": "full_name", "last": "family_name"}) == (
        _field("first", "given_name", ("first", ""), ("name", "given_name")),
        _field("last", "family_name", ("last", ""), ("name", "family_name")),
    )


def test_a_whole_name_stands_alone_where_there_are_no_separate_names():
    assert fields({"name": "full_name"}) == (
        _field("name.given_name", "given_name", ("name", "given_name")),
        _field("name.family_name", "family_name", ("name", "family_name")),
    )


def test_a_whole_name_fills_the_first_of_two_given_names():
    assert fields({"first": "given_name", "middle": "given_name", "name": "full_name"}) == (
        _field("first", "given_name", ("first", ""), ("name", "given_name")),
        _field("middle", "given_name", ("middle", "")),
        _field("name.family_name", "family_name", ("name", "family_name")),
    )


def test_an_unknown_kind_is_named_with_its_trait():
    with pytest.raises(ConfigError, match=r"\[matching.traits\] dob: got 'day', expected one of .*'date'"):
        fields({"dob": "day"})


def test_no_traits_are_an_error():
    with pytest.raises(ConfigError, match=r"\[matching.traits\]: got none"):
        fields({})
