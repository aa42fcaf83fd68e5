"""One event per message_id. The same content again is a repeat and is dropped; another is a conflict and is kept.

Content is what lakehouse/events/content_hash.py leaves of the bytes: when a message was sent is not part of it.

Every accepted record asks two questions of the deduplication state, each a row of its own: is its content (message_id
and content_hash) new, and is its message_id new? Three cases come out of it, in one batch or over many:

    content new, id new        the first of its id: an event
    content new, id not new    a conflict
    content not new            a repeat: no row is left

A rejected record has no id to trust. Its place in Kafka is its key, so that it always passes. So it is with a fact, which may
be told again and is folded.
"""

from collections import Counter

import pyarrow as pa
from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from lakehouse.events.reasons import ID_CONFLICT
from lakehouse.tables.events import BRONZE_EVENTS

CONTENT, ID, REJECTED = "content", "id", "rejected"
OTHER_CONTENT = "messageId: an earlier event has other content"  # the detail of a conflict
PLACE = BRONZE_EVENTS.key
KEY = ("asks", "asked_key", "asked_hash")


def ask(judged: DataFrame) -> DataFrame:
    """The rows that ask: `judged` of lakehouse/events/parse.py, with column `asks` and the key it asks about.

    Only the row that asks for its content carries the event, as one column, and its bytes; a rejected one its bytes. What asks for
    an id is narrow: both pass through a shuffle.
    """
    questions = F.when(F.col("reason").isNull(), F.array(F.lit(CONTENT), F.lit(ID))).otherwise(F.array(F.lit(REJECTED)))
    asked = judged.withColumn("asks", F.explode(questions))
    is_id, is_content = F.col("asks") == ID, F.col("asks") == CONTENT
    known = ("message_id", *PLACE)
    beside = (*known, "value", "kafka_timestamp", "arrived_at", "fact", "reason", "detail")
    packed = F.struct(*(name for name in judged.columns if name not in beside))
    place = F.concat_ws("-", *PLACE)
    return asked.select(
        "asks",
        *known,
        "kafka_timestamp",
        "arrived_at",
        "reason",
        "detail",
        F.when(F.col("asks") == REJECTED, place).otherwise(F.col("message_id")).alias("asked_key"),
        F.when(is_content, F.col("content_hash")).alias("asked_hash"),
        "fact",
        F.when(~is_id, F.col("value")).alias("value"),
        F.when(is_content, packed).alias("packed"),
    )


def answer(asked: DataFrame, *, clock: Column, days: int) -> DataFrame:
    """The rows whose key is new (stream), unpacked. A key is remembered for at least `days` days of `clock`.

    `clock` must never run behind the watermark, or rows would be dropped as late: give the time of the micro-batch.
    """
    clocked = asked.withColumn("remembered_at", clock).withWatermark("remembered_at", f"{days} days")
    return unpacked(clocked.dropDuplicatesWithinWatermark(list(KEY)))


def unpacked(asked: DataFrame) -> DataFrame:
    """The event's columns beside the others; all null in a row that carries none."""
    return asked.select("*", "packed.*").drop("packed", *KEY[1:])


def conflicts(answered: DataFrame) -> DataFrame:
    """Of the answered rows of one batch, the contents that are not the first of their id, with reason and detail.

    First is the lowest place among the contents that are new in the batch, when the id is new in it, too.
    """
    place = F.struct(*PLACE)
    is_content = F.col("asks") == CONTENT
    tally = (
        answered.where(F.col("asks") != REJECTED)
        .groupBy("message_id")
        .agg(
            F.count_if(F.col("asks") == ID).alias("new_ids"),
            F.count_if(is_content).alias("new_contents"),
            F.min(F.when(is_content, place)).alias("first_place"),
        )
        .where(F.col("new_contents") > F.col("new_ids"))
    )
    contested = answered.where(is_content).join(F.broadcast(tally), on="message_id", how="inner")
    return (
        contested.where((F.col("new_ids") == 0) | (place != F.col("first_place")))
        .withColumns({"reason": F.lit(ID_CONFLICT), "detail": F.lit(OTHER_CONTENT)})
        .select(*answered.columns)
    )


def are_conflicts(answered: pa.Table) -> list[bool]:
    """`conflicts` of rows on the driver: of each whether it is one."""
    asks, ids = answered["asks"].to_pylist(), answered["message_id"].to_pylist()
    places = list(zip(*(answered[name].to_pylist() for name in PLACE), strict=True))
    asked = list(zip(asks, ids, places, strict=True))
    new_ids = Counter(id_ for ask, id_, _ in asked if ask == ID)
    new_contents = Counter(id_ for ask, id_, _ in asked if ask == CONTENT)
    first: dict[str, tuple[str, int, int]] = {}
    for ask, id_, place in asked:
        if ask == CONTENT:
            first[id_] = min(place, first.get(id_, place))
    return [
        ask == CONTENT and new_contents[id_] > new_ids[id_] and (new_ids[id_] == 0 or place != first[id_])
        for ask, id_, place in asked
    ]
