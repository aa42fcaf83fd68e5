"""The hash of a content: what it leaves out, and that it is the one Spark made of the events that are stored. One Spark run."""

import random
import re

import xxhash
from pyspark.sql import SparkSession
from pyspark.sql import functions as F

from lakehouse.events.content_hash import content_hash, content_hash_of, content_hashes
from tests.lakehouse.events.test_fuzz import make
from tests.rows import encode

SCALAR = r'(?:"[^"\\]{0,100}+"|[^,{}\[\]\s"]{1,100}+)'
FIELD = rf'"(?:sentAt|receivedAt|sent_at|received_at|request_?[iI][pP]|ip|retryCount|writeKey)"\s*+:\s*+{SCALAR}'
ONCE = rf",\s*+{FIELD}|{FIELD}\s*+,"  # as the rule was stated when Spark hashed
FIELDS = [
    '"sentAt":"x"',
    '"ip" :\t1',
    '"request_IP":null',
    '"retryCount":2',
    '"a":"ü\U0001f600"',
    '"\\"ip\\"":3',
    '"sentAt":{',
    '"ip":[',
]
FIELDS += [
    '"ip":"' + "a" * 101 + '"',
    '"writeKey":"' + "\U0001f600" * 100 + '"',
    '"ip":"\\n"',
    '"ip":"sentAt":1',
    '"ip":\u00a02',
]
BETWEEN = [",", ",", ",", ", ", " \n,", ",,", "", "}", "{", "]", "[", " ", "\u00a0,", ":", '"']


def texts(seed: int) -> list[str]:
    """Whatever pieces come together, and events."""
    chance = random.Random(seed)
    garbled = [
        "".join(chance.choice(FIELDS) + chance.choice(BETWEEN) for _ in range(chance.randrange(1, 9)))
        for _ in range(3_000)
    ]
    return garbled + [(encode(make(chance, number)) or b"").decode(errors="replace") for number in range(200)]


def test_what_is_left_of_a_text_is_what_the_rule_leaves() -> None:
    left = [re.sub(ONCE, "", text, flags=re.ASCII) for text in texts(1)]
    told = [content_hash(text.encode()) for text in texts(1)]
    assert [one % 2**64 for one in told] == [xxhash.xxh64_intdigest(bare.encode(), 42) for bare in left]
    assert sum(bare != text for bare, text in zip(left, texts(1), strict=True)) > 1_000


USUAL = '{"a":"b","sentAt":"s","receivedAt":"r","c":1}'
NEARLY_USUAL = [
    USUAL,
    USUAL.replace('"sentAt"', '"receivedAt":"q","sentAt"'),
    USUAL.replace('"b"', '{"z":1,"sentAt":"t"}'),
    USUAL.replace('"b"', '{"z":1,"ip":"10.0.0.1"}'),
    USUAL.replace('"receivedAt":"r"', '"receivedAt":1'),
    USUAL.replace('"sentAt":"s"', '"sentAt":"ü"'),
    USUAL.replace('"sentAt":"s"', f'"sentAt":"{101 * "s"}"'),
    USUAL.replace('"b"', '"sentAt"'),
    USUAL.replace("}", ',"sentAt":"ip":1}'),
    USUAL.replace('"b"', '"\\"sentAt\\":\\"s\\""'),
]


def test_of_many_the_hash_is_that_of_each() -> None:
    values: list[bytes | None] = [text.encode() for text in [*NEARLY_USUAL, *texts(3)]]
    values += [None, b"", b"\0" + USUAL.encode()]
    for some in (values, [*values, b"\xff" + USUAL.encode()], []):
        assert content_hashes(some).to_pylist() == [content_hash(value) for value in some]


def test_spark_hashed_alike(spark: SparkSession) -> None:
    values = [text.encode() for text in texts(2)] + [None, b"", b'{"ip":"1.2.3.4","a":"\xff\xc3"}']
    frame = spark.createDataFrame([(value,) for value in values], "value binary").coalesce(1)
    stored = F.xxhash64(F.regexp_replace(F.col("value").cast("string"), ONCE, ""))
    told = frame.select("value", stored.alias("stored"), content_hash_of(F.col("value")).alias("ours")).collect()
    assert len(told) == len(values)
    for value, ours, theirs in ((one.value, one.ours, one.stored) for one in told):
        assert ours == theirs == content_hash(value), value


def test_a_message_that_is_sent_again_has_the_hash_of_the_first() -> None:
    first = b'{"sentAt":"2026-03-01T12:00:00Z","messageId":"m","context":{"ip":"10.0.0.1"},"a":1,"retryCount":0}'
    again = b'{"sentAt":"2026-03-01T12:05:00Z","messageId":"m","context":{"ip":"10.0.0.1"},"a":1,"retryCount":3}'
    assert content_hash(first) == content_hash(again) != content_hash(first.replace(b'"a":1', b'"a":2'))
