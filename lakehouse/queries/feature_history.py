"""The history of features that were declared while events come, added to the stream's own sums by the stream's writer, between its batches.

Somebody asks (batch/fill_features.py): the lake notes it. The writer takes conf/features.yaml up as it is then, and from that moment on sums every
new event for it. What lies before in the topic is read again from silver.events, a slice of records at a time: leaf rows of nothing but the new sums, added by the
same function as those of a micro-batch, each slice in a commit that notes how far it came. So nothing is added twice, whatever is killed, and a fill that was interrupted
goes on. With all of them in, gold.features is made anew for everybody, and the request is done with.
"""

import json
import logging
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from functools import partial
from secrets import token_hex

from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

from lakehouse.config.paths import FEATURES
from lakehouse.errors import StitchlakeError
from lakehouse.events.declared_properties import DeclaredProperty, with_declared
from lakehouse.feature_book.book import features_in, read_features
from lakehouse.feature_book.kept_features import FOLDER, Begin, keep, note_history, sums_of
from lakehouse.features.definition import Features, Partial
from lakehouse.lake import stamp
from lakehouse.lake.checkpoint import Ends
from lakehouse.lake.delta import Lake
from lakehouse.lake.transaction import Transaction
from lakehouse.profiles.leaf import EVENT_COLUMNS, leaf, with_day
from lakehouse.profiles.micro_batch import MicroBatch
from lakehouse.profiles.silver import feature_days
from lakehouse.profiles.silver.feature_days import SILVER_FEATURE_DAYS
from lakehouse.queries.own_fields_history import Slice
from lakehouse.queries.unfinished import is_under_way, reached
from lakehouse.tables.events import SILVER_EVENTS

SLICE = 40_000  # records: a second or two of two cores, for which events wait
ASKED, ANSWER = "asked", "answer"  # files in the lake
log = logging.getLogger("stitchlake.features")


@dataclass(frozen=True, kw_only=True)
class Answer:
    """What became of the request of that id. done, records: of the history, by offset. refused: why nothing was taken up; None = it was."""

    asked: str
    done: int = 0
    records: int = 0
    is_whole: bool = False
    refused: str | None = None


def ask(root: str, spark: SparkSession | None) -> None:
    """Ask the writer of the lake at `root` for it; whoever asked before is answered with it. `spark`: as of lakehouse/lake/stamp.py."""
    stamp.restamp(f"{root}/{FOLDER}", ASKED, token_hex(8), spark)


def is_asked(root: str, spark: SparkSession | None) -> bool:
    """Whether there is a request that is not done with."""
    return stamp.read(f"{root}/{FOLDER}", ASKED, spark) is not None


def answer(root: str, spark: SparkSession | None) -> Answer | None:
    """What has become of the latest request; None: it was not taken up yet."""
    asked, text = (stamp.read(f"{root}/{FOLDER}", name, spark) for name in (ASKED, ANSWER))
    said = Answer(**json.loads(text)) if text else None
    return said if said is not None and asked in (None, said.asked) else None


class FeatureHistory:
    """The request of one lake, a piece at each call. `query`: by whose micro-batches events come. `properties`: that are declared, as it began with them.

    is_alone: nothing streams: a micro-batch that was left in the middle will be gone through later.
    """

    def __init__(
        self,
        lake: Lake,
        micro_batch: MicroBatch,
        query: str,
        properties: Sequence[DeclaredProperty],
        *,
        is_alone: bool = False,
    ) -> None:
        self._lake = lake
        self._micro_batch = micro_batch
        self._query = query
        self._is_alone = is_alone
        self._properties = properties
        self._said: Answer | None = None
        self._slices: Iterator[Answer] | None = None

    def go_on(self) -> None:
        """Do the next piece of what is asked for, if anything is. The caller is the lake's writer, and no micro-batch runs."""
        asked = stamp.read(f"{self._lake.root}/{FOLDER}", ASKED, self._lake.spark)
        if asked is None or self._is_under_way():
            return
        try:
            self._next_piece(asked)
        except StitchlakeError as error:
            log.error("fill_features: %s", error)
            self._end(Answer(asked=asked, refused=str(error)))
        except BaseException:
            self._said = self._slices = None  # begun anew; what was added is known
            raise

    def _next_piece(self, asked: str) -> None:
        if self._said is None or asked != self._said.asked:
            self._take_up(asked)
            self._answer(Answer(asked=asked))
        elif self._slices is not None and (said := next(self._slices, None)) is not None:
            self._answer(said)
        elif self._slices is not None:
            self._take_up(asked)
        elif not self._micro_batch.owes_features:
            self._end(replace(self._said, is_whole=True))

    def _is_under_way(self) -> bool:
        return not self._is_alone and is_under_way(self._lake, self._query, SILVER_FEATURE_DAYS)

    def _take_up(self, asked: str) -> None:
        """conf/features.yaml as it is now: micro-batches sum for it from the next one on. What lacks its history is to be filled."""
        self._micro_batch.use(keep_declared(self._lake, self._query, self._properties))
        features = self._micro_batch.features
        self._slices = fill(self._lake, features, self._properties, asked) if features.unfilled else None

    def _end(self, said: Answer) -> None:
        self._answer(said)
        self._said = self._slices = None
        stamp.unstamp(f"{self._lake.root}/{FOLDER}", ASKED, self._lake.spark)

    def _answer(self, said: Answer) -> None:
        self._said = said
        stamp.restamp(f"{self._lake.root}/{FOLDER}", ANSWER, json.dumps(asdict(said)), self._lake.spark)


def keep_declared(lake: Lake, query: str, properties: Sequence[DeclaredProperty]) -> Features:
    """The features of conf/features.yaml, over these properties, as the stream is to keep them from now on. No micro-batch runs."""
    return keep(
        lake,
        read_features(FEATURES, properties),
        reached=partial(reached, lake, query, SILVER_FEATURE_DAYS),
        earlier=partial(features_in, path=FEATURES, properties=properties),
    )


def fill(
    lake: Lake, features: Features, properties: Sequence[DeclaredProperty], asked: str, *, size: int = SLICE
) -> Iterator[Answer]:
    """Add the history of whatever sums lack it, those that begin at one place together; yields after each slice of `size` offsets.

    What an earlier call has added is not added again.
    """
    groups = _groups(lake, features)
    slices = [(begin, only, part) for begin, only in groups for part in _slices(lake, begin.at, size)]
    done, records = 0, sum(part.end - part.first for *_, part in slices)
    for begin, only, part in slices:
        once = Transaction(application=f"features {begin.id} {part.topic} {part.partition}", batch_id=part.end)
        if not lake.has_had(SILVER_FEATURE_DAYS, once):
            # What was added of it before, by slices that were cut otherwise.
            first = max(part.first, lake.last_batch(SILVER_FEATURE_DAYS, once.application))
            leaves = _leaves(lake, replace(part, first=first), only, properties).persist()
            try:
                feature_days.merge(lake, leaves, once)
            finally:
                leaves.unpersist()
        done += part.end - part.first
        yield Answer(asked=asked, done=done, records=records)
    for _, only in groups:
        note_history(lake, frozenset(partial.name for partial in only.partials))


def _groups(lake: Lake, features: Features) -> list[tuple[Begin, Features]]:
    """The sums that lack their history, those together that began together."""
    partials, groups = (
        {partial.name: partial for partial in features.partials},
        dict[str, tuple[Begin, list[Partial]]](),
    )
    for name, begin in sorted(sums_of(lake).begins.items()):
        if name in partials:
            groups.setdefault(begin.id, (begin, []))[1].append(partials[name])
    return [(begin, replace(features, partials=tuple(own), features=())) for begin, own in groups.values()]


def _slices(lake: Lake, ends: Ends, size: int) -> list[Slice]:
    """Of what silver.events has of the topic up to there."""
    least = lake.read(SILVER_EVENTS).groupBy("topic", "partition").agg(F.min("offset").alias("first"))
    found = []
    for topic, partition, low in sorted(tuple(row) for row in least.collect()):  # one row a partition
        end = ends.get(topic, {}).get(str(partition), low)
        for first in range(low, end, size):
            found.append(Slice(topic=topic, partition=partition, first=first, end=min(first + size, end)))
    return found


def _leaves(lake: Lake, part: Slice, only: Features, properties: Sequence[DeclaredProperty]) -> DataFrame:
    """Leaf rows of the accepted events of people among these records, with the facts of nothing but these sums."""
    of_people = lake.read(with_declared(SILVER_EVENTS, properties)).where(part.of("")).where(~F.col("is_bot"))
    events = of_people.select(*EVENT_COLUMNS, *only.reads).withColumns(
        {"traits": F.lit(None).cast("map<string,string>"), "source": F.lit(None).cast("string")}
    )
    told = leaf(with_day(events), rates=lake.config.money.rates, features=only)
    return told.select("actor_id", "activity_day", "features")
