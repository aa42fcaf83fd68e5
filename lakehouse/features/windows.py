"""Partial sums of actors -> the features of profiles at an instant. One code path for stream, rebuild and training sets.

The rule. `as_of` is the last instant that is known. A minute or day counts if all of it was known (`last_at <= as_of`) and it began less
than the window before the minute or day of `as_of`: a window of 7 d is the UTC day of `as_of` and the six before it. So between two ends of a
window the features stay what they are, but for days_since, which grows with the clock; `due_at` says until when.

Two kinds of caller: the stream takes the newest event time of the lake, at which every row it holds counts; training takes ends of
UTC days, which no row straddles.
"""

from collections.abc import Mapping

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from lakehouse.features.definition import DAY, Feature, Features
from lakehouse.features.partials import bound, distinct, kept, sums_of_partials

_LISTS = ("distinct", "top_k")
_MOMENT = ("profile_id", "as_of")


def features_at(days: DataFrame, moments: DataFrame, features: Features) -> DataFrame:
    """One row for each of `moments`: profile_id, as_of, due_at and a column for each feature.

    Args:
        days: rows of silver.feature_days of profiles, of one or several actors each: profile_id, partials.
        moments: profile_id, as_of; several per profile if wanted.
        features: those that are declared.
    """
    sums = days.select("profile_id", F.inline("partials"))
    known = sums.join(moments.select(*_MOMENT), on="profile_id").where(F.col("last_at") <= F.col("as_of"))
    used = known.select("*", F.inline(F.try_element_at(_uses(features), F.col("name")))).where(_is_inside())
    figures = used.groupBy(*_MOMENT, "feature", "aggregation", "most_values", "window").agg(
        *sums_of_partials(), *_lists(), _leaves_at().alias("leaves_at")
    )
    answered = figures.select(*_MOMENT, "leaves_at", F.struct("feature", _answer().alias("answer")).alias("entry"))
    answers = answered.groupBy(*_MOMENT).agg(
        F.min("leaves_at").alias("due_at"), F.map_from_entries(F.collect_list("entry")).alias("answers")
    )
    joined = moments.select(*_MOMENT).join(answers, on=list(_MOMENT), how="left")
    return joined.select(*_MOMENT, "due_at", *columns(features))


def _uses(features: Features) -> Column:
    """map<name of a partial, array of the features that use it>: a literal."""
    uses: dict[str, list[Column]] = {}
    for number, feature in enumerate(features.features):
        if feature.partial is None:
            continue
        uses.setdefault(feature.partial, []).append(
            F.struct(
                F.lit(number).alias("feature"),
                F.lit(feature.aggregation).alias("aggregation"),
                F.lit(feature.most).alias("most_values"),
                F.lit(features.grains[feature.partial]).cast("bigint").alias("grain"),
                F.lit(feature.window).cast("bigint").alias("window"),
            )
        )
    return F.create_map(*(column for name, own in uses.items() for column in (F.lit(name), F.array(*own))))


def _is_inside() -> Column:
    as_of = F.unix_micros("as_of")
    began = as_of - F.pmod(as_of, F.col("grain"))
    return F.col("window").isNull() | (F.unix_micros("at") > began - F.col("window"))


def _lists() -> list[Column]:
    days = F.when(F.col("aggregation") == "streak", F.to_date("at"))
    counts = F.when(F.col("aggregation").isin(*_LISTS), F.col("counts"))
    return [F.collect_set(days).alias("days"), F.flatten(F.collect_list(counts)).alias("counts")]


def _leaves_at() -> Column:
    """When the first of it leaves its window, or a streak is broken; null = never."""
    leaves = F.timestamp_micros(F.min(F.unix_micros("at") + F.col("window")))
    breaks = F.max(F.when(F.col("aggregation") == "streak", F.unix_micros("at"))) + F.lit(2 * DAY)
    return F.least(leaves, F.when(breaks > F.unix_micros("as_of"), F.timestamp_micros(breaks)))


def _answer() -> Column:
    """struct<number, text, top>: one of them is filled, as the aggregation says."""
    numbers: Mapping[str, Column] = {
        "count": F.col("events"),
        "sum": F.col("total"),
        "mean": F.try_divide(F.col("total").cast("double"), F.col("values").cast("double")),
        "min": F.col("least"),
        "max": F.col("most"),
        "first": F.col("first.number"),
        "last": F.col("last.number"),
        "distinct": bound(F.transform(kept(F.col("counts")), lambda one: one["hash"]), distinct),
        "days_since": (F.unix_micros("as_of") - F.unix_micros("last_at")) / F.lit(float(DAY)),
        "streak": bound(F.sort_array("days", asc=False), _streak),
    }
    return F.struct(
        _of_aggregation({name: number.cast("double") for name, number in numbers.items()}).alias("number"),
        _of_aggregation({name: F.col(f"{name}.text") for name in ("first", "last")}).alias("text"),
        F.when(F.col("aggregation") == "top_k", _top()).alias("top"),
    )


def _of_aggregation(answers: Mapping[str, Column]) -> Column:
    return F.coalesce(*(F.when(F.col("aggregation") == name, answer) for name, answer in answers.items()))


def _top() -> Column:
    """The most frequent values, those of one frequency by the alphabet."""
    by_count = F.transform(
        kept(F.col("counts")), lambda one: F.struct((-one["count"]).alias("less"), one["value"].alias("value"))
    )
    first = F.slice(F.array_sort(by_count), F.lit(1), F.col("most_values"))
    return F.transform(first, lambda one: F.struct(one["value"].alias("value"), (-one["less"]).alias("count")))


def _streak(newest_first: Column) -> Column:
    """UTC days in a row up to the newest; 0 where neither the day of as_of nor the one before it is among them."""
    newest = F.get(newest_first, F.lit(0))
    in_a_row = F.filter(newest_first, lambda day, number: F.datediff(newest, day) == number)
    return F.when(F.datediff(F.to_date("as_of"), newest) <= 1, F.size(in_a_row)).otherwise(0)


def columns(features: Features) -> list[Column]:
    """A column for each feature, over `answers`."""
    own = {feature.name: _column(number, feature) for number, feature in enumerate(features.features)}

    def value(feature: Feature) -> Column:
        if not features.is_filled(feature):
            return F.lit(None).cast(feature.type)
        if feature.parts is None:
            return own[feature.name]
        above, below = (value(features.by_name[name]).cast("double") for name in feature.parts)
        return _or_default(F.try_divide(above, below), feature)

    return [value(feature).alias(feature.name) for feature in features.features]


def _column(number: int, feature: Feature) -> Column:
    answer = F.try_element_at("answers", F.lit(number))
    if feature.aggregation == "top_k":
        return answer["top"]
    if feature.value == "text" and feature.aggregation in ("first", "last"):
        return _or_default(answer["text"], feature)
    if feature.value == "time" and feature.aggregation in ("first", "last", "min", "max"):
        return F.timestamp_micros(answer["number"].cast("bigint"))
    return _or_default(answer["number"].cast(feature.type), feature)


def _or_default(value: Column, feature: Feature) -> Column:
    return value if feature.default is None else F.coalesce(value, F.lit(feature.default).cast(feature.type))
