from pyspark.sql import functions as F

from lakehouse.matching.fields import fields
from lakehouse.matching.records import atoms, owners_of_names, records

TRAITS = "actor_id string, trait string, value string"


def _rows(frame, *columns):
    return [tuple(row) for row in frame.orderBy("actor_id").select(*columns).collect()]


def test_a_record_per_actor_with_a_usable_value_and_nulls_for_the_others(spark):
    traits = spark.createDataFrame(
        [
            ("a1", "first", "Ann"),
            ("a1", "dob", "1985-01-05"),
            ("a2", "last", "Lee"),
            ("a3", "first", " -- "),
            ("a4", "shoe_size", "38"),
        ],
        TRAITS,
    )
    found = records(traits, fields({"first": "given_name", "last": "family_name", "dob": "date"}), region="US")
    assert found.columns == ["actor_id", "v0", "v1", "v2"]
    assert _rows(found, "*") == [("a1", "ann", None, "19850105"), ("a2", None, "lee", None)]


def test_a_whole_name_fills_in_and_an_unusable_value_gives_way_to_it(spark):
    compared = fields({"first": "given_name", "last.name": "family_name", "it's": "full_name"})
    traits = spark.createDataFrame(
        [
            ("a1", "first", "Ann"),
            ("a1", "it's", "Bea Lee"),
            ("a2", "first", "?"),
            ("a2", "it's", "Lee, Bea"),
            ("a3", "last.name", "Kay"),
        ],
        TRAITS,
    )
    assert _rows(records(traits, compared, region="US"), "*") == [
        ("a1", "ann", "lee"),
        ("a2", "bea", "lee"),
        ("a3", None, "kay"),
    ]


def test_atoms_are_what_two_records_may_have_in_common(spark):
    compared = fields(
        {
            "first": "given_name",
            "last": "family_name",
            "dob": "date",
            "mail": "email",
            "tel": "phone",
            "zip": "code",
            "street": "address",
            "sex": "category",
        }
    )
    values = ("ann", "smith", "19850105", "ann@x.com", "+12065550123", "98101", "12mainst", "f")
    frame = spark.createDataFrame([values], ", ".join(f"v{index} string" for index in range(len(values))))
    found = frame.select(*(part.alias(name) for name, (_, part) in atoms(compared).items())).first()
    assert found is not None
    assert found.asDict() == {
        "0.value": "ann",
        "0.sound": "A500",
        "0.beginning": "ann",
        "1.value": "smith",
        "1.sound": "S530",
        "1.beginning": "smi",
        "2.value": "19850105",
        "2.year": "1985",
        "2.day": "0105",
        "3.value": "ann@x.com",
        "3.user": "ann",
        "4.value": "+12065550123",
        "4.end": "5550123",
        "5.value": "98101",
        "5.beginning": "981",
        "6.value": "12mainst",
        "6.beginning": "12mai",
        "7.value": "f",
        "names.value": "ann~smith",
        "names.sound": "A500~S530",
    }


def test_a_birthday_sent_as_a_time_has_the_atoms_of_its_day(spark):
    compared = fields({"dob": "date"})
    traits = spark.createDataFrame([("a1", "dob", "1985-01-04T23:00:00Z"), ("a2", "dob", "1985-01-05")], TRAITS)
    found = records(traits, compared, region="US")
    assert _rows(found, "v0") == [("19850105t",), ("19850105",)]
    told = found.select("actor_id", *(part.alias(name) for name, (_, part) in atoms(compared).items()))
    assert _rows(told, "`0.value`", "`0.year`", "`0.day`") == [("19850105", "1985", "0105")] * 2


def test_the_two_names_are_one_atom_whichever_way_round_and_none_when_one_is_missing(spark):
    compared = fields({"first": "given_name", "last": "family_name"})
    frame = spark.createDataFrame(
        [("a", "ann", "smith"), ("b", "smith", "ann"), ("c", None, "smith"), ("d", "ann", None)],
        "actor_id string, v0 string, v1 string",
    )
    found = frame.select("actor_id", *(atoms(compared)[name][1].alias(name) for name in ("names.value", "names.sound")))
    assert _rows(found.select("actor_id", F.col("`names.value`"), F.col("`names.sound`")), "*") == [
        ("a", "ann~smith", "A500~S530"),
        ("b", "ann~smith", "A500~S530"),
        ("c", None, None),
        ("d", None, None),
    ]


def test_short_and_odd_values_have_fewer_atoms(spark):
    compared = fields({"dob": "date", "tel": "phone", "zip": "code", "street": "address"})
    frame = spark.createDataFrame([("85", "123", "9", "main")], "v0 string, v1 string, v2 string, v3 string")
    row = frame.select(*(part.alias(name) for name, (_, part) in atoms(compared).items())).first()
    assert row is not None
    assert {name for name, value in row.asDict().items() if value is not None} == {f"{i}.value" for i in range(4)}


def test_without_a_given_and_a_family_name_no_field_owns_the_names():
    assert owners_of_names(fields({"first": "given_name", "name": "name"})) == set()
    assert owners_of_names(fields({"dob": "date", "last": "family_name", "first": "given_name"})) == {0, 1}
