"""Ann is erased, who shares a browser and an order with Bob; Cat is nobody's concern. One lake, one story.

Ann   a telephone, a log-in with e-mail and number, two orders, a program under her name, records that were rejected, a repeat
Bob   logs in on the browser of the family, where Ann did, too, and takes an order back that she had made
"""

import fcntl
import json
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from batch.rebuild import check
from lakehouse.commands.person import export
from lakehouse.decisions.visitor import suppression, suppression_key
from lakehouse.errors import StitchlakeError
from lakehouse.events.identifiers import resolve
from lakehouse.events.reader import Reader
from lakehouse.lake.delta import Lake, arrow_schema
from lakehouse.lake.folders import folder
from lakehouse.lake.lock import HOUSEHOLDS
from lakehouse.online.engines import open_kept_store, open_store, store_url
from lakehouse.online.recent_entries import entries_of_many, key_of, remember
from lakehouse.online.store import Document, Entry
from lakehouse.people.elsewhere import settle
from lakehouse.people.person import Person, identifier_of
from lakehouse.people.requests import WAITING, keep, new, waiting
from lakehouse.profiles.gold.activation import GOLD_ACTIVATION
from lakehouse.profiles.silver.orders import SILVER_ORDERS
from lakehouse.queries.known_records import held_by
from lakehouse.sessions.table import SILVER_SESSIONS
from lakehouse.tables.decisions import SILVER_DECISION_LOG
from lakehouse.tables.events import BRONZE_EVENTS, SILVER_EVENTS, SILVER_EVENTS_QUARANTINE
from lakehouse.tables.identity import SILVER_IDENTITY_MAP, SILVER_IDENTITY_OVERRIDES
from tests.rows import message, order, track
from tests.small_lake import copy_empty_tables
from tests.streamed_world import NOW, World

LATER = datetime(2025, 3, 1, tzinfo=UTC)
EMAIL, PHONE = "ann.gone@example.com", "+1 202 555 0143"
ANN = {"userId": "ann-4711"}
HERS = [
    track(message_id="m1", anonymousId="ann-phone", properties={"product_id": "tea"}),
    message("identify", "m2", anonymousId="ann-phone", **ANN, traits={"email": EMAIL, "phone": PHONE}),
    order("o-ann", "m3", value=1) | ANN | {"anonymousId": "ann-phone"},
    order("o-both", "m4") | ANN | {"anonymousId": "ann-phone"},
    track(message_id="m5", anonymousId="family", **ANN),
    track(message_id="m6", **ANN, anonymousId=None, context={"userAgent": "Mozilla/5.0 (compatible; Googlebot/2.1)"}),
    order("o-bad", "m7", currency="nonsense") | ANN,
    order("o-ann", "m3", value=1) | ANN | {"anonymousId": "ann-phone"},
    f'{{"email": "{EMAIL}", oops',
]  # fmt: skip
OTHERS = [
    track(message_id="m11", anonymousId="family", userId="bob-1", timestamp="2025-01-31T11:58:00Z"),
    order("o-bob", "m12") | {"userId": "bob-1", "anonymousId": "bob-web"},
    track("Order Refunded", "m13", userId="bob-1", anonymousId="bob-web", properties={"order_id": "o-both", "revenue": 5}),
    track(message_id="m21", anonymousId="cat-web"),
]  # fmt: skip


def needles(lake: Lake) -> list[str]:
    """Whatever names Ann: her values, and what stands for them."""
    tokens = [resolve("email", EMAIL, lake.config), resolve("phone", PHONE, lake.config)]
    return ["ann-4711", "ann-phone", EMAIL, PHONE, "2025550143", *map(str, tokens)]


def found_on_disk(lake: Lake) -> Iterator[str]:
    """File and needle, of every file below the lake in which one stands; Parquet and Arrow are read, for they are compressed."""
    wanted = needles(lake)
    for path in sorted(Path(lake.root).rglob("*")):
        if path.is_file():
            text = path.read_bytes()
            if path.suffix == ".parquet":
                text += json.dumps(pq.read_table(path).to_pylist(), default=str).encode()
            yield from (f"{path.relative_to(lake.root)}: {one}" for one in wanted if one.encode() in text)


def beside(world: World) -> None:
    """What the service and jobs wrote of her."""
    lake = world.lake
    row = dict.fromkeys(SILVER_DECISION_LOG.column_names)
    row |= {"log_id": "l1", "kind": "decision", "decision_id": "d1", "unit": "user_id:ann-4711", "action": "tea"}
    row |= {"policy_version": "1", "occurred_at": NOW, "logged_at": NOW}
    bobs = row | {"log_id": "l2", "unit": "user_id:bob-1"}
    lake.add(pa.Table.from_pylist([row, bobs], schema=arrow_schema(SILVER_DECISION_LOG)), SILVER_DECISION_LOG)
    override = dict.fromkeys(SILVER_IDENTITY_OVERRIDES.column_names)
    override |= {"override_id": "x", "action": "block", "first_type": "user_id", "first_token": "ann-4711"}
    override |= {
        "created_by": "me",
        "reason": "try",
        "created_at": NOW,
        "undone_by": "me",
        "undone_reason": "no",
        "undone_at": NOW,
    }
    other = override | {"override_id": "y", "first_token": "bob-1"}
    table = SILVER_IDENTITY_OVERRIDES
    lake.add(pa.Table.from_pylist([override, other], schema=arrow_schema(table)), table)
    with closing(open_kept_store(lake.config)) as kept:
        kept.put(
            [Document("suppressed:user_id:ann-4711", 1, b"1"), Document("d:d1", 1, b'{"unit": "user_id:ann-4711"}')]
        )
        kept.put(
            [
                Document("zone:user_id:ann-4711", 1, b'[1, "Europe/Rome"]'),
                Document("life:user_id:ann-4711", 1, b"[1, []]"),
            ]
        )
        kept.put([Document("o:d1:bought", 1, b"{}"), Document("d:d2", 1, b'{"unit": "user_id:bob-1"}')])
        entries = [
            Entry(1, "a", b'{"kind": "view", "user": "ann-4711"}'),
            Entry(2, "b", b'{"kind": "view", "user": "bob-1"}'),
        ]
        kept.append({"r:user_id:ann-4711": entries[:1], "r:anonymous_id:family": entries}, keep=9)
        kept.append({"timers:0": [Entry(1, "1@user_id:ann-4711", b"user_id:ann-4711")]}, keep=9)


def test_a_person_is_shown_and_erased_and_everybody_else_stays(lake: Lake, tmp_path: Path) -> None:
    world = World(lake)
    world.send([*HERS, *OTHERS])
    beside(world)
    everything_is_shown(world, tmp_path / "ann")
    she_goes(world)
    nobody_comes_back_and_who_comes_anew_is_new(world)


def everything_is_shown(world: World, to: Path) -> None:
    rows = export(world.lake, "email", EMAIL, to, every=False, now=NOW)
    told = json.loads((to / "person.json").read_text())
    tables = {name: len(table["rows"]) for name, table in told["tables"].items()}
    assert sum(tables.values()) == rows
    assert (tables["bronze.events"], tables["silver.events"], tables["silver.events_quarantine"]) == (len(HERS), 6, 2)
    assert (tables["gold.activation"], tables["gold.contacts"], tables["silver.decision_log"]) == (1, 1, 1)
    assert told["tables"]["gold.contacts"]["rows"][0]["email"] == EMAIL
    assert told["person"]["shared_with_others"] == [{"type": "anonymous_id", "value": "family"}]
    assert any(key.startswith("p:") for key in told["online"])
    shown = (to / "person.html").read_text()
    assert EMAIL in shown
    assert "bob-1" not in json.dumps(told["tables"])
    with pytest.raises(StitchlakeError, match="2 profiles"):
        export(world.lake, "anonymous_id", "family", to, every=False, now=NOW)
    with pytest.raises(StitchlakeError, match="never seen"):
        export(world.lake, "user_id", "nobody", to, every=False, now=NOW)


def she_goes(world: World) -> None:
    lake = world.lake
    others = lake.read(GOLD_ACTIVATION).where("NOT array_contains(user_ids, 'ann-4711') AND NOT event_count = 0")
    before = {row["profile_id"]: row.asDict() for row in others.collect()}
    assert len(before) == 2
    assert list(found_on_disk(lake)) != []
    ends = held_by(lake, {"events": SILVER_EVENTS, "quarantine": SILVER_EVENTS_QUARANTINE, "records": BRONZE_EVENTS})

    with_her = {table.name: lake.commit(table) for table in (SILVER_EVENTS, SILVER_DECISION_LOG)}

    # The browser is of two people, and names neither.
    refused = world.ask("anonymous_id", "family")
    erasure = world.ask("user_id", "ann-4711")
    with pytest.MonkeyPatch.context() as patched:  # the process dies when the graph does not know her any more
        patched.setattr("lakehouse.people.erasure.put_log_right", _dies)
        world.erasures.between_batches()
    assert world.receipt(erasure)["outcome"] == "waiting"
    email = identifier_of(lake.config, "email", EMAIL)
    with closing(
        open_kept_store(lake.config)
    ) as kept:  # nobody reaches her meanwhile, by whatever name; and Bob is not silenced for it
        words = kept.get([suppression_key(one) for one in (email, ("user_id", "ann-4711"), ("anonymous_id", "family"))])
    assert [word is not None for word in words] == [True, True, False]
    world.erasures.carry_out()
    assert world.receipt(refused)["outcome"] == "refused"
    told = world.receipt(erasure)
    assert (told["outcome"], told["detail"], told["profiles"]) == ("erased", None, 1)
    counts = json.loads(told["counts"])
    assert counts["bronze.events"] == len(HERS)
    assert (counts["silver.events"], counts["silver.events_quarantine"]) == (6, 2)
    assert (counts["silver.decision_log"], counts["silver.identity_overrides"], counts["gold.activation"]) == (1, 1, 1)

    # A training that read a commit before these has learned from her.
    commits = json.loads(told["commits"])
    assert all(commits[name] > commit for name, commit in with_her.items())
    assert commits["silver.events"] <= lake.commit(SILVER_EVENTS)

    assert list(found_on_disk(lake)) == []
    after = {row["profile_id"]: row.asDict() for row in lake.read(GOLD_ACTIVATION).collect()}
    assert {id_: row | {"updated_at": 0} for id_, row in after.items()} == {
        id_: row | {"updated_at": 0} for id_, row in before.items()
    }
    # What she had bought is no order any more; that Bob took it back is known.
    orders = {row["order_id"]: row for row in lake.read(SILVER_ORDERS).collect()}
    assert orders.keys() == {"o-bob", "o-both"}
    assert (orders["o-both"]["actor_id"], len(orders["o-both"]["refunds"])) == (None, 1)
    family = [row for row in lake.read(SILVER_SESSIONS).collect() if row["visitor_id"] == "family"]
    assert [row["session_id"] for row in family] == ["m11"]
    assert world.column(SILVER_DECISION_LOG, "log_id") == ["l2"]
    assert world.column(SILVER_IDENTITY_OVERRIDES, "override_id") == ["y"]
    with closing(open_kept_store(lake.config)) as kept:
        assert [value is None for value in kept.get(["d:d1", "o:d1:bought", "d:d2"])] == [True, True, False]
        assert [[entry.id for entry in one] for one in kept.latest(["r:anonymous_id:family"], 9)] == [["b"]]
    # How far the tables had read is known, although their last rows are gone.
    assert (
        held_by(lake, {"events": SILVER_EVENTS, "quarantine": SILVER_EVENTS_QUARANTINE, "records": BRONZE_EVENTS})
        == ends
    )


def _dies(*_: Any) -> None:
    raise OSError("no space left")


def nobody_comes_back_and_who_comes_anew_is_new(world: World) -> None:
    lake = world.lake
    late = track(message_id="m31", **ANN, anonymousId="ann-tablet", timestamp="2025-01-20T10:00:00Z")
    anew = track(message_id="m32", **ANN, anonymousId="ann-new", timestamp="2025-02-20T10:00:00Z")
    rejected = order("o-bad", "m33", currency="nonsense") | ANN
    again, unknown = world.ask("email", EMAIL), world.ask("user_id", "nobody-knows")  # and the stream carries it out
    heard = [sent for sent in (late, *HERS[:-1], anew) if isinstance(sent, dict)]
    with closing(open_store(store_url(lake.config))) as online:  # as the service does, which knows of no erasure
        remember(online, entries_of_many(heard, Reader(lake.config), arrived_at=LATER))
        assert len(online.latest([key_of("r", ("user_id", "ann-4711"))], 9)[0]) > 1
    world.send([late, *HERS[:-1], rejected, anew], arrival=LATER)
    with closing(open_store(store_url(lake.config))) as online:
        (left,), (phone,) = (
            online.latest([key_of("r", one)], 9) for one in (("user_id", "ann-4711"), ("anonymous_id", "ann-phone"))
        )
    assert ([entry.id.split(":")[0] for entry in left], phone) == (["m32"], [])
    assert world.column(SILVER_EVENTS, "message_id") == ["m11", "m12", "m13", "m21", "m32"]
    assert world.column(SILVER_EVENTS_QUARANTINE, "reason") == []
    assert lake.read(SILVER_IDENTITY_MAP).count() == 4
    assert lake.read(BRONZE_EVENTS).count() == len(OTHERS) + 1
    assert check(lake) == 0
    heard_again = {
        "bronze.events": 1,
        "online store": 1,
    }  # a repeat, that had come to bronze and to the service by then
    for erasure, counts in ((again, heard_again), (unknown, {})):
        told = world.receipt(erasure)
        went = {name: count for name, count in json.loads(told["counts"]).items() if count}
        assert (told["outcome"], told["profiles"], went) == ("erased", 0, counts)
    assert folder(world.lake.root, WAITING, None).names() == []


def test_whoever_comes_anew_while_an_erasure_waits_keeps_what_they_say(lake: Lake) -> None:
    copy_empty_tables(lake)
    place, later = folder(lake.root, WAITING, None), NOW + timedelta(hours=1)
    ann = ("user_id", "ann-4711")
    one = Person(own=frozenset({ann}), actors=frozenset({"a1"}), profiles=("a1",))
    asked = new(ann, by="dpo", reason="a letter", at=NOW, every=False)
    keep(place, replace(asked, stage="left", person=one, held_until=NOW))
    row: dict[str, Any] = dict.fromkeys(SILVER_DECISION_LOG.column_names)
    row |= {"kind": "decision", "decision_id": "d", "unit": "user_id:ann-4711", "action": "tea", "policy_version": "1"}
    rows = [row | {"log_id": f"{at:%H}", "occurred_at": at, "logged_at": at} for at in (NOW, later)]
    lake.add(pa.Table.from_pylist(rows, schema=arrow_schema(SILVER_DECISION_LOG)), SILVER_DECISION_LOG)
    with closing(open_kept_store(lake.config)) as kept:
        kept.put([suppression(ann, NOW, is_suppressed=True)])
        with Path(lake.root, f"_lock.{HOUSEHOLDS}").open("a+") as job:
            fcntl.flock(job, fcntl.LOCK_EX)
            settle(lake, waiting(place)[0], place, lambda: NOW)
        assert kept.get([suppression_key(ann)]) == [None]
        kept.put([suppression(ann, later, is_suppressed=True)])
        kept.append({key_of("s", ann): [Entry(1, "came late", b"{}")]}, keep=9)
        (request,) = waiting(place)
        settle(lake, request, place, lambda: LATER)
        assert kept.get([suppression_key(ann)]) == [b"1"]
        assert len(kept.latest([key_of("s", ann)], 9)[0]) == 1, "once is enough: who has the name by now may be new"
    assert waiting(place) == []
    (log_id,) = lake.rows_with(SILVER_DECISION_LOG, "unit", ["user_id:ann-4711"])["log_id"].to_pylist()
    assert log_id == f"{later:%H}"
