"""Who sent an event: its identifiers, its actor, whether it is a crawler's. Read in Python, by the reader that serving uses.

Telephones, addresses and user agents have libraries that know them, and the key of the tokens stays out of every plan. One call for
a whole Arrow batch; the same visitor's identifiers come again and again and are remembered.
"""

import hashlib
import json
import pickle
from collections.abc import Sequence
from functools import lru_cache
from typing import Any

import pyarrow as pa
from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from lakehouse.config import Config
from lakehouse.events import schema
from lakehouse.events.bots import UserAgents
from lakehouse.events.identifier import Identifier
from lakehouse.events.identifiers import FIELDS, Resolver
from lakehouse.events.tokens import PERSONAL, hidden
from lakehouse.spark.arrow_function import arrow_function

SHOWN = ("user_id", "anonymous_id", "previous_id")  # as they are known, not as they were sent
SENDER = (
    "struct<identifiers:array<struct<type:string,token:string>>,actor_id:string,user_id:string,anonymous_id:string,"
    "previous_id:string,agent:string,faults:array<string>,texts:array<string>>"
)
_IDENTIFIER = [pa.field("type", pa.string()), pa.field("token", pa.string())]
_ANY_LINE = f"(?m){PERSONAL}".replace(r"\A", "^").replace(r"\z", "$")


def with_sender(fields: DataFrame, config: Config, *, texts: Sequence[str]) -> DataFrame:
    """`fields` with column `sender`, a SENDER; its `faults` and `texts` are null where there is nothing to tell.

    Reads the columns of FIELDS, external_ids, sent_country and user_agent. `texts`: columns that are shown as they were sent, and
    so never with an address in them: sender.texts holds them in this order, personal ones as tokens, when any is personal.
    """
    columns = [*(name for _, name in FIELDS), "sent_country", "user_agent", "external_ids"]
    shown = F.when(F.concat_ws("\n", *texts).rlike(_ANY_LINE), F.array(*texts))
    return fields.withColumn("sender", arrow_function(_reader(config, tuple(texts)), SENDER)(*columns, shown))


def actor_id(identifiers: Sequence[Identifier]) -> str:
    """The actor: 32 hex digits of SHA-256 over the sorted bundle as JSON, which no two bundles share."""
    bundle = [{"type": type_, "token": token} for type_, token in identifiers]
    text = json.dumps(bundle, separators=(",", ":"), ensure_ascii=False)
    return hashlib.sha256(text.encode()).hexdigest()[:32]


def _reader(config: Config, texts: tuple[str, ...]) -> Any:
    pickled = pickle.dumps(config)

    def read(*columns: pa.Array) -> pa.Array:
        resolver, agents = _readers(pickled)
        *sent, countries, user_agents, external, shown = (column.to_pylist() for column in columns)
        bundles, known, faults = [], [], []
        for values, country, others in zip(zip(*sent, strict=True), countries, external, strict=True):
            pairs = [(type_, value) for (type_, _), value in zip(FIELDS, values, strict=True) if value is not None]
            pairs += [(one["type"], one["id"]) for one in others or () if one and one["type"] and one["id"]]
            bundles.append(resolver.bundle(pairs, country))
            known.append(_known(resolver, values))
            faults.append(_faults(resolver, values, country) or None)
        hidden_texts = [None if row is None else _hidden(resolver.config, texts, row) for row in shown]
        return pa.StructArray.from_arrays(
            [
                _lists(bundles),
                pa.array([actor_id(bundle) for bundle in bundles], pa.string()),
                *(pa.array(list(column), pa.string()) for column in zip(*known, strict=True) or [()] * len(SHOWN)),
                pa.array([None if agent is None else agents.kind(agent) for agent in user_agents], pa.string()),
                pa.array(faults, pa.list_(pa.string())),
                pa.array(hidden_texts, pa.list_(pa.string())),
            ],
            names=["identifiers", "actor_id", *SHOWN, "agent", "faults", "texts"],
        )

    return read


@lru_cache(maxsize=4)
def _readers(pickled: bytes) -> tuple[Resolver, UserAgents]:
    """Of one configuration, kept for as long as the worker lives: what they remember is what makes them fast."""
    config: Config = pickle.loads(pickled)
    return Resolver(config), UserAgents(config.events.bot_user_agents)


def _known(resolver: Resolver, values: Sequence[str | None]) -> list[str | None]:
    sent = {name: (type_, value) for (type_, name), value in zip(FIELDS, values, strict=True)}
    shown = [sent[name] for name in SHOWN]
    resolved = (None if value is None else resolver.resolve(type_, value) for type_, value in shown)
    return [None if identifier is None else identifier[1] for identifier in resolved]


def _faults(resolver: Resolver, values: Sequence[str | None], country: str | None) -> list[str]:
    told = []
    for (type_, name), value in zip(FIELDS, values, strict=True):
        reason = None if value is None else resolver.fault(type_, value, country)
        if reason is not None:
            told.append(f"{reason}|{schema.TEXTS[name].places[0]}: an identifier of somebody expected")
    return told


def _hidden(config: Config, names: Sequence[str], row: Sequence[str | None]) -> list[str | None]:
    return [None if text is None else hidden(config.privacy, name, text) for name, text in zip(names, row, strict=True)]


def _lists(bundles: Sequence[Sequence[Identifier]]) -> pa.Array:
    """array<struct<type,token>>, built from flat columns: a Python dict for each identifier would cost more than reading it."""
    offsets = [0]
    for bundle in bundles:
        offsets.append(offsets[-1] + len(bundle))
    flat = [identifier for bundle in bundles for identifier in bundle]
    columns = [pa.array([identifier[i] for identifier in flat], pa.string()) for i in (0, 1)]
    return pa.ListArray.from_arrays(
        pa.array(offsets, pa.int32()), pa.StructArray.from_arrays(columns, fields=_IDENTIFIER)
    )
