"""Identifiers: `resolve` in Python is the same as the Spark expressions, for every kind of value. One Spark run."""

import json

import pytest
from pyspark.sql import SparkSession
from pyspark.sql import functions as F

from lakehouse.config import Config, load
from lakehouse.events import identifiers
from lakehouse.events.tokens import token

CONFIG = load("dev", environ={})
SECRETS = {"KAFKA_BOOTSTRAP_SERVERS": "b:1", "STITCHLAKE_HMAC_KEY": "k", "STITCHLAKE_HMAC_KEY_ID": "1"}
STRICT = load("prod", environ=SECRETS | {"STITCHLAKE__IDENTITY__EMAIL_TAGS": "known"})
ANN = token(CONFIG.privacy, "email", "ann@example.com")
PHONE = token(CONFIG.privacy, "phone", "+12025550143")

# (type, value as sent) -> what stands for it everywhere; None: no usable identifier
KNOWN: dict[tuple[str, str], str | None] = {
    ("user_id", " u-17 "): "u-17",
    ("user_id", "U-17"): "U-17",
    ("user_id", "ann@example.com"): token(CONFIG.privacy, "user_id", "ann@example.com"),
    ("user_id", "Null"): None,
    ("user_id", "[object Object]"): None,
    ("user_id", "nullable"): "nullable",
    ("user_id", "-1"): None,
    ("user_id", "0"): None,
    ("user_id", "01"): "01",
    ("user_id", ""): None,
    ("anonymous_id", "00000000-0000-0000-0000-000000000000"): None,
    ("anonymous_id", "xxx"): None,
    ("device_id", "ÜNKNOWN"): "ÜNKNOWN",
    ("loyalty_id", "card-1"): "card-1",
    ("email", "ann@example.com"): ANN,
    ("email", " Ann@EXAMPLE.com "): ANN,
    ("email", "ann\t@example\n.com"): ANN,
    ("email", "ann@example.com."): ANN,
    ("email", "ann+shop@example.com"): ANN,
    ("email", "Ann.Lee+shop@GoogleMail.com"): token(CONFIG.privacy, "email", "annlee@gmail.com"),
    ("email", "ann-shop@yahoo.com"): token(CONFIG.privacy, "email", "ann@yahoo.com"),
    ("email", "te.st+7@gmail.com"): None,
    ("email", "No-Reply@shop.com"): None,
    ("email", "a@A.com"): None,
    ("email", "ann@test.com"): None,
    ("email", "ann@example"): None,
    ("email", "a" * 65 + "@example.com"): None,
    ("email", "ann"): None,
    ("email", "ann@example@com"): None,
    ("email", "@example.com"): None,
    ("email", "ann@"): None,
    ("phone", "(202) 555-0143"): PHONE,
    ("phone", "1 202 555 0143"): PHONE,
    ("phone", "+1 202-555-0143 ext. 9"): PHONE,
    ("phone", "001 202 555 0143 x12"): PHONE,
    ("phone", "202 555 014"): None,
    ("phone", "000-000-0000"): None,
    ("phone", "(999) 999-9999"): None,
    ("phone", "123-456-7890"): None,
    ("phone", "1-123-456-7890"): token(CONFIG.privacy, "phone", "+11234567890"),
    ("device_id", "9774d56d682e549c"): None,
    ("device_id", "FFFFFFFF-FFFF-FFFF-FFFF-FFFFFFFFFFFF"): None,
    ("anonymous_id", "9774d56d682e549c"): "9774d56d682e549c",
    ("loyalty_id", "9999999999"): None,
    ("user_id", "9999999999"): "9999999999",
    ("user_id", "{{userId}}"): None,
    ("phone", "unknown"): None,
    ("phone", "+44 (0)20 7946 0018"): token(CONFIG.privacy, "phone", "+442079460018"),
    ("phone", "+1234567890123456"): None,
}
# Values whose case, blanks, digits or length could be taken in two ways.
ODD = [
    *("İstanbul", "ΣΊΣΥΦΟΣ", "straße", "STRASSE", "ẞ", "Å", "\ufb01", "K", "ﾐ", "😀", "e\u0301", "\u0130@\u0130.tr"),
    *(
        "\u00a0null\u00a0",
        "\u3000",
        "\ufeff",
        "\u200b",
        "null\n",
        "\nnull",
        "\t",
        "0\n0",
        "0\u00a00",
        "none\x00",
        "\x00",
    ),
    *("\x1c", "\x0b", "ann\x1c@example.com", "ann\u00a0@example.com", "ΣΑΣ@example.com", "ann@example.com\n", "a@b"),
    *("٠١٢٣٤٥٦٧٨٩", "+٤٤ 20 7946 0018", "+1+2025550143", "2025550143+", "0012025550143", "00", "+", "++442079460018"),
    *(
        "12025550143#5",
        "2025550143;ext=5",
        "202555EXT0143",
        "X2025550143",
        "+(0)(0)1234567",
        "0\r\n",
        "null\u2028",
        "0\u2028",
        "0\u0085",
        "1" * 30,
        "+" + "9" * 15,
    ),
]
TYPES = ("user_id", "email", "phone", "loyalty_id", "device_id")
VALUES = [*KNOWN, *((type_, value) for type_ in TYPES for value in ODD)]


@pytest.fixture(scope="module", params=[CONFIG, STRICT], ids=["dev", "prod"])
def config(request: pytest.FixtureRequest) -> Config:
    return request.param


@pytest.fixture(scope="module")
def found(_session: SparkSession, config: Config) -> dict[tuple[str, str], set[str | None]]:
    """What Spark makes of each value: in a field of its own, and among context.externalIds."""
    sent = [(type_, value, _external(type_, value)) for type_, value in VALUES]
    frame = _session.createDataFrame(sent, "type string, value string, json string")
    fields = {field: type_ for type_, field in reversed(identifiers.FIELDS)}
    held = frame.select(
        "type",
        "value",
        F.parse_json("json").alias("document"),
        *(F.when(F.col("type") == type_, F.trim("value")).alias(f"sent_{name}") for name, type_ in fields.items()),
    )
    read = held.withColumn("external_ids", identifiers.external_ids(config))
    alone = read.drop("external_ids").withColumn("external_ids", F.lit(None).cast(identifiers.IDENTIFIERS))
    rows = alone.select("type", "value", identifiers.bundle(config).alias("found")).collect()
    rows += read.select("type", "value", F.col("external_ids").alias("found")).collect()
    answers: dict[tuple[str, str], set[str | None]] = {}
    for row in rows:
        assert {entry["type"] for entry in row["found"]} <= {row["type"]}
        one = {entry["token"] for entry in row["found"]} or {None}
        answers.setdefault((row["type"], row["value"]), set()).update(one)
    return answers


def _external(type_: str, value: str) -> str:
    return json.dumps([{"context": {"externalIds": [{"type": type_, "id": value}]}}, 0])


@pytest.mark.parametrize(("type_", "value"), KNOWN)
def test_an_identifier_is_resolved_as_known(type_: str, value: str) -> None:
    assert identifiers.resolve(type_, value, CONFIG) == KNOWN[type_, value]


def test_python_and_spark_resolve_alike(found: dict[tuple[str, str], set[str | None]], config: Config) -> None:
    assert found == {(type_, value): {identifiers.resolve(type_, value, config)} for type_, value in VALUES}


def test_a_number_is_national_to_the_country_of_the_address_wherever_it_was_sent(spark: SparkSession) -> None:
    berlin = token(CONFIG.privacy, "phone", "+4930901820")
    rows = [("030 901820", "de", berlin), ("030 901820", None, None), ("202-555-0143", "XX", PHONE)]
    frame = spark.createDataFrame(rows, "sent_phone string, country string, expected string").select(
        "*",
        F.parse_json(
            F.concat(F.lit('[{"context":{"externalIds":[{"type":"phone","id":"'), "sent_phone", F.lit('"}]}},0]'))
        ).alias("document"),
        *(F.lit(None).cast("string").alias(f"sent_{field}") for type_, field in identifiers.FIELDS if type_ != "phone"),
    )
    country = F.col("country")
    both = frame.withColumn("external_ids", identifiers.external_ids(CONFIG, country))
    for row in both.select("*", identifiers.bundle(CONFIG, country).alias("found")).collect():
        expected = [] if row["expected"] is None else [("phone", row["expected"])]
        assert [tuple(entry) for entry in row["found"]] == expected
        assert [tuple(entry) for entry in row["external_ids"]] == expected
        assert identifiers.resolve("phone", row["sent_phone"], CONFIG, row["country"]) == row["expected"]


def test_an_actor_is_told_from_another_by_any_identifier(spark: SparkSession) -> None:
    bundles = [[("user_id", "a")], [("user_id", "a"), ("user_id", "b")], [("user_id", 'a"}')], [("email", "a")]]
    frame = spark.createDataFrame([(bundle,) for bundle in bundles], f"bundle {identifiers.IDENTIFIERS}")
    actors = [row[0] for row in frame.select(identifiers.actor_id(F.col("bundle"))).collect()]
    assert len(set(actors)) == len(bundles)
    assert all(len(actor) == 32 for actor in actors)
