"""The shop against the lake's own parser: what is planted is what is found."""

from collections import defaultdict
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
from pyspark.sql import SparkSession
from pyspark.sql import functions as F

from lakehouse.config import Config
from lakehouse.demo.shop.simulator import ID_CONFLICT
from lakehouse.events.parse import parse


def test_the_parser_rejects_what_was_planted_and_reads_actors_and_times_as_they_are(
    spark: SparkSession, config: Config, small: Any, tmp_path: Path
) -> None:
    messages, truth = small.messages, small.truth
    records = {
        "topic": pa.array(["events"] * len(messages)),
        "partition": pa.array([0] * len(messages), pa.int32()),
        "offset": pa.array(range(len(messages)), pa.int64()),
        "value": pa.array([message.value for message in messages], pa.binary()),
        **dict.fromkeys(
            ("timestamp", "arrived_at"), pa.array([message.at for message in messages], pa.timestamp("us", "UTC"))
        ),
    }
    pq.write_table(pa.table(records), tmp_path / "records.parquet")
    parsed = parse(spark.read.parquet(str(tmp_path / "records.parquet")), config)
    names = ("message_id", "actor_id", F.unix_millis("occurred_at"), "is_bot", "reason")
    rows = [tuple(row) for row in parsed.select(*names).collect()]

    found: dict[str, int] = defaultdict(int)
    for row in rows:
        if row[4] is not None:
            found[row[4]] += 1
    assert found == {reason: n for reason, n in truth.rejected().items() if reason != ID_CONFLICT}

    accepted = {row[0]: row for row in rows if row[4] is None}
    assert set(accepted) == set(truth.unit_of)
    actors, bundles = defaultdict(set), defaultdict(set)
    for message_id, actor_id, occurred_ms, is_bot, _ in accepted.values():
        unit = truth.units[truth.unit_of[message_id]]
        assert 0 <= occurred_ms - truth.occurred_at_ms[message_id] < 1_000
        assert is_bot == (truth.behaviours[unit.person_id] == "bot")
        actors[unit.bundle].add(actor_id)
        bundles[actor_id].add(unit.bundle)
    assert all(len(found) == 1 for found in actors.values())
    assert all(len(found) == 1 for found in bundles.values())
