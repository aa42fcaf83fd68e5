"""A person taken out of a store, to the last byte on disk; everybody else's stays, whoever writes meanwhile."""

import multiprocessing
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path

import orjson
import pyarrow as pa

from lakehouse.config import Config
from lakehouse.decisions.visitor import suppression
from lakehouse.events.erased import HoldBack, digest
from lakehouse.events.event_rows import NOTHING_DECLARED
from lakehouse.moments.state import Fact, VisitorState
from lakehouse.online.engines import open_kept_store, open_store, store_url
from lakehouse.online.lmdb_store import LmdbStore
from lakehouse.online.store import MOST, Document, Entry
from lakehouse.people.elsewhere import forget_again
from lakehouse.people.forgetting import Gone, documents_of, forget

ANN, USER, FAMILY = ("email", "k1:aaaabbbbccccdddd"), ("user_id", "ann-4711"), ("device_id", "tv-of-the-family")
NAMED = ":".join(ANN)
ASKED_MS, UNTIL_MS = 1_000, 2_000
GONE = Gone(own=[ANN, USER], shared=[FAMILY], names=["ann-1"], asked_ms=ASKED_MS, until_ms=UNTIL_MS)
WRITES = 150


def state(*facts: Fact) -> bytes:
    return VisitorState(facts={fact.id: fact for fact in facts}, version=1).encode()


def fact(id_: str, at_ms: int, *who: tuple[str, str]) -> Fact:
    return Fact(at_ms=at_ms, id=id_, event="Product Viewed", item="tea", who=who)


def test_whatever_is_hers_goes_and_nothing_else(tmp_path: Path) -> None:
    decision = {"unit": "ann-1", "at_ms": 5}
    hers = {
        "p:ann-1": b"{}",
        f"i:{NAMED}": b'"ann-1"',
        "unit:profile_id:ann-1": b"[1]",
        f"unit:{NAMED}": b'[7, "ann-1"]',
        f"suppressed:{NAMED}": b"1",
        f"zone:{NAMED}": b'[9, "Europe/Rome"]',
        f"life:{NAMED}": b'[1, [[9, "m", "once"]]]',
        f"m:{NAMED}": state(fact("m1", 5, ANN)),
        "d:7": orjson.dumps(decision),
        "d:8": orjson.dumps({"unit": NAMED}),
        "shown:9": orjson.dumps({"decision": decision, "at_ms": 6}),  # of which the decision by itself has ended
        "o:9:bought": b"{}",
        "answer:7": b"sixteen bytes...{}",
        "o:7:bought": b"{}",
        "a:7:mail": b"{}",
        "a:99:mail": orjson.dumps({"action": {"identifiers": [ANN]}}),
    }
    others = {
        "p:bob-1": b"{}",
        "i:device_id:tv-of-the-family": b'"bob-1"',
        "zone:device_id:tv-of-the-family": b'[9, "Europe/Rome"]',
        "d:6": orjson.dumps({"unit": "bob-1"}),
        "shown:6": orjson.dumps({"decision": {"unit": "bob-1"}}),
        "answer:6": b"sixteen bytes...{}",
        "o:6:bought": b"{}",
        "a:6:mail": orjson.dumps({"action": {"identifiers": [FAMILY]}}),
        "d:x": b"no JSON",
        "shown:x": b"[]",
    }
    with closing(LmdbStore(tmp_path / "online")) as store, closing(LmdbStore(tmp_path / "kept")) as kept:
        for number, (key, value) in enumerate({**hers, **others}.items()):
            (store, kept)[number % 2].put([Document(key, 1, value)])
        seen = [fact("m1", 5, ANN, FAMILY), fact("m2", 5, FAMILY)]
        kept.put([Document("m:device_id:tv-of-the-family", 1, state(*seen))])
        mine, bobs = (Entry(1, name, orjson.dumps({"user": name})) for name in ("ann-4711", "bob"))
        store.append({f"x:{NAMED}": [mine], "s:device_id:tv-of-the-family": [mine, bobs]}, keep=9)
        store.append({"timers:1": [Entry(5, "5@ann", NAMED.encode()), Entry(6, "6@bob", b"user_id:bob")]}, keep=9)
        assert documents_of((store, kept), GONE).keys() == hers.keys()
        count = forget((store, kept), GONE, shards=2)
        assert count == len(hers) + 1 + 3  # a fact of the family's that names her, entries and a timer
        found = [store.get([key])[0] or kept.get([key])[0] for key in (*hers, *others)]
        assert found == [None] * len(hers) + [*others.values()]
        (family,) = kept.get(["m:device_id:tv-of-the-family"])
        assert family is not None
        assert VisitorState.decode(family).facts.keys() == {"m2"}
        assert [entry.id for entry in store.latest(["s:device_id:tv-of-the-family"], 9)[0]] == ["bob"]
        assert [entry.id for entry in store.until("timers:1", MOST, 9)] == ["6@bob"]
        assert store.put([Document("p:ann-1", 1, b"{}")]) == 1  # not even a version is left: who comes anew is new


def test_what_is_said_while_an_erasure_waits_is_of_whoever_comes_anew(tmp_path: Path) -> None:
    """With the same address: a word on being left alone from when it was asked, anything else from when the lake forgot."""
    later = UNTIL_MS + 1
    stays = {
        "p:ann-1": (1000 * later, b"{}"),
        f"i:{NAMED}": (1000 * later, b'"ann-1"'),
        f"suppressed:{NAMED}": (ASKED_MS + 2, b"1"),
        f"zone:{NAMED}": (later, orjson.dumps([later, "Europe/Rome"])),
        f"unit:{NAMED}": (1, orjson.dumps([later, NAMED])),
        f"life:{NAMED}": (1, orjson.dumps([1, [[5, "m1", "once"], [later, "m2", "once"]]])),
        "d:7": (1, orjson.dumps({"unit": NAMED, "at_ms": later})),
        "shown:7": (1, orjson.dumps({"decision": {"unit": NAMED, "at_ms": later}})),
        "a:7:mail": (1, orjson.dumps({"action": {"identifiers": [ANN], "created_ms": later}})),
    }
    with closing(LmdbStore(tmp_path / "online")) as store:
        store.put(Document(key, version, value) for key, (version, value) in stays.items())
        store.put([Document("suppressed:user_id:ann-4711", ASKED_MS, b"erasure 1"), Document("p:ann-2", 1, None)])
        store.put([Document(f"m:{NAMED}", 1, state(fact("old", 5, ANN), fact("new", later, ANN)))])
        store.append({f"s:{NAMED}": [Entry(at_ms, str(at_ms), b"{}") for at_ms in (5, later)]}, keep=9)
        store.append({"timers:0": [Entry(9, "9@ann", NAMED.encode())]}, keep=9)
        forget((store,), GONE, shards=1)
        assert len(store.until("timers:0", MOST, 9)) == 1
        assert store.get([*stays]) == [value for _, value in stays.values()]
        assert store.get(["suppressed:user_id:ann-4711"]) == [None]
        (left,) = store.get([f"m:{NAMED}"])
        assert left is not None
        assert VisitorState.decode(left).facts.keys() == {"new"}
        assert [entry.id for entry in store.latest([f"s:{NAMED}"], 9)[0]] == [str(later)]
        # A word of before that comes late is not kept out by what was written over it, and neither is a new one.
        assert store.put([Document(f"suppressed:{USER[0]}:{USER[1]}", ASKED_MS - 1, b"1")]) == 1


def _write(folder: Path, number: int) -> None:
    with closing(LmdbStore(folder, survives=True)) as store:
        for one in range(WRITES):
            assert store.put([Document(f"p:{number}-{one}", 1, b"x" * 100)]) == 1


def test_a_store_written_anew_has_nothing_of_what_is_gone_and_loses_no_write(tmp_path: Path) -> None:
    folder, secret = tmp_path / "kept", b"k1:aaaabbbbccccdddd"
    with closing(LmdbStore(folder, survives=True)) as store:
        store.put([Document(f"i:email:{secret.decode()}{n}", 1, secret) for n in range(200)])
        own = [("email", f"{secret.decode()}{n}") for n in range(200)]
        forget((store,), Gone(own=own, shared=(), names=(), asked_ms=ASKED_MS, until_ms=UNTIL_MS), shards=1)
        data = folder / "store" / "data.mdb"
        assert secret in data.read_bytes()  # as LMDB leaves it
        spawn = multiprocessing.get_context("spawn")
        writers = [spawn.Process(target=_write, args=(folder, number)) for number in range(2)]
        for writer in writers:
            writer.start()
        while any(writer.is_alive() for writer in writers):
            store.rewrite()
        for writer in writers:
            writer.join()
            assert writer.exitcode == 0
        store.rewrite()
        assert secret not in data.read_bytes()
        keys = [f"p:{number}-{one}" for number in range(2) for one in range(WRITES)]
        assert None not in store.get(keys)
        assert [path.name for path in folder.iterdir()] == ["store"]


def test_what_the_service_hears_late_of_who_was_erased_goes_and_what_is_new_stays(config: Config) -> None:
    """The lake holds back two records of a telephone that was offline; a third, of an address nobody erased, is none of theirs."""
    until = datetime(2026, 3, 1, tzinfo=UTC)
    phone, other = ("anonymous_id", "phone-1"), ("anonymous_id", "phone-2")
    told = HoldBack(
        config=config,
        declared=NOTHING_DECLARED,
        until={digest(config.privacy, *phone): int(until.timestamp()) * 1_000_000},
    )
    times = [until - timedelta(days=days) for days in (3, 2, 2)]
    identifiers = [[{"type": type_, "token": token}] for type_, token in (phone, phone, other)]
    at_ms = [int(at.timestamp() * 1000) for at in (*times, until + timedelta(days=1))]
    with closing(open_store(store_url(config))) as online:
        late = [Entry(at_ms[0], "old", b"{}"), Entry(at_ms[3], "new", b"{}")]
        online.append({f"r:{':'.join(phone)}": late, f"r:{':'.join(other)}": late}, keep=9)
    with closing(open_kept_store(config)) as kept:
        words = [suppression(phone, times[1], is_suppressed=True), suppression(other, times[1], is_suppressed=True)]
        kept.put(words)
    records = pa.table({"identifiers": identifiers, "occurred_at": pa.array(times, pa.timestamp("us", tz="UTC"))})
    assert forget_again(config, told, records.slice(2)) == 0
    assert forget_again(config, told, records) == 2
    with closing(open_store(store_url(config))) as online, closing(open_kept_store(config)) as kept:
        entries = online.latest([f"r:{':'.join(one)}" for one in (phone, other)], 9)
        assert [[entry.id for entry in each] for each in entries] == [["new"], ["new", "old"]]
        assert kept.get([word.key for word in words]) == [None, b"1"]
        kept.put([suppression(phone, times[1] + timedelta(hours=1), is_suppressed=True)])
        forget_again(config, told, records)
        assert kept.get([words[0].key]) == [b"1"], "a word of later than what was held back"
