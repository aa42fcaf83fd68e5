"""The online store in Redis: for decision servers on more than one machine. One server, or whichever of them Sentinel names.

    stitchlake:d:<key>   document: 16 digits of version, `+` or `-` (gone), value
    stitchlake:t:{<key>} timeline: sorted set of ids by time
    stitchlake:v:{<key>} hash id -> value of the same timeline
    stitchlake:l:<prefix> set of the names of documents under a prefix of LISTED, and of some that are gone

Whatever reads before it writes is a script (lakehouse/online/redis_scripts.py). A connection that broke is tried once more: every
call may be repeated, since versions and ids make the second time do nothing.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import partial
from itertools import chain, islice
from threading import Lock
from typing import Any, TypeVar

import redis
from redis.exceptions import RedisClusterException

from lakehouse.errors import StoreError
from lakehouse.online.redis_place import RedisPlace, connected
from lakehouse.online.redis_scripts import APPEND, PUT, READ, REMOVE, UNTIL
from lakehouse.online.store import LISTED, MOST, Document, Entry

_PREFIX = b"stitchlake:"
CHUNK = 200  # documents a script, or timelines an exchange: others wait that long
PAGE = 1000
_DIGITS = 16

T = TypeVar("T")
Row = tuple[int, bytes, bytes]  # time, id, value


class RedisStore:
    """See lakehouse/online/store.py for the contract."""

    is_embedded = False

    def __init__(self, place: RedisPlace, *, timeout_ms: int) -> None:
        self._place = place
        self._timeout_ms = timeout_ms
        self._is_closed = False
        self._listed = set[str]()
        self._connecting = Lock()
        self._client: Any = None  # Any: its stubs promise either an answer or an awaitable of one
        self._scripts: dict[str, Any] = {}

    @property
    def _redis(self) -> Any:
        """Made by the first call: a cluster that is not there is noticed by then."""
        with self._connecting:
            if self._client is None:
                self._client = connected(self._place, timeout_ms=self._timeout_ms)
        return self._client

    def _run(self, script: str, keys: Sequence[bytes], arguments: Sequence[Any], client: Any = None) -> Any:
        registered = self._scripts.get(script)
        if registered is None:
            registered = self._scripts[script] = self._redis.register_script(script)
        return registered(keys=keys, args=arguments, client=client)

    def get(self, keys: Sequence[str]) -> list[bytes | None]:
        names = [_name(b"d", key) for key in keys]
        return [_value(stored) for stored in self._ask(lambda: self._stored(names))] if names else []

    def _stored(self, names: Sequence[bytes]) -> list[bytes | None]:
        """Of documents, by their names."""
        found: list[bytes | None] = self._redis.mget(names)
        return found

    def put(self, documents: Iterable[Document]) -> int:
        waiting, written = iter(documents), 0
        while chunk := list(islice(waiting, CHUNK)):
            for prefix in LISTED:  # first, so that none is written without being listed
                self._list(prefix, [_name(b"d", each.key) for each in chunk if each.key.startswith(prefix)])
            names, values = [_name(b"d", each.key) for each in chunk], [_encoded(each) for each in chunk]
            ends = [b"" if each.ends_ms is None else b"%d" % _time(each.ends_ms) for each in chunk]
            written += self._ask(partial(self._put_all, names, values, ends))
        return written

    def _put_all(self, names: Sequence[bytes], values: Sequence[bytes], ends: Sequence[bytes]) -> int:
        return int(self._run(PUT, names, [*values, *ends]))

    def _list(self, prefix: str, names: Sequence[bytes]) -> None:
        if names:
            self._ask(lambda: self._redis.sadd(_name(b"l", prefix), *names))

    def scan(self, prefix: str) -> Iterator[tuple[str, bytes]]:
        if prefix not in LISTED:
            yield from self._values(self._names(prefix))
            return
        if prefix not in self._listed:  # what was written before there were lists
            for names in self._names(prefix):
                self._list(prefix, names)
            self._listed.add(prefix)
        names = list(self._ask(lambda: self._redis.smembers(_name(b"l", prefix))))
        yield from self._values(names[first : first + PAGE] for first in range(0, len(names), PAGE))

    def _names(self, prefix: str) -> Iterator[list[bytes]]:
        """Of all documents under keys that begin so, each once."""
        start = _name(b"d", prefix)
        pattern = b"".join(b"\\" + bytes([c]) if c in b"*?[]\\^-" else bytes([c]) for c in start) + b"*"
        seen = set[bytes]()  # Redis may name a key twice
        for page in self._pages(pattern):
            names = [name for name in dict.fromkeys(page) if name not in seen]
            seen.update(names)
            yield names

    def _pages(self, pattern: bytes) -> Iterator[Sequence[bytes]]:
        cursor = 0
        while True:
            cursor, page = self._ask(partial(self._page, pattern, cursor))
            yield page
            if cursor == 0:
                return

    def _page(self, pattern: bytes, cursor: int) -> tuple[int, Sequence[bytes]]:
        """The next cursor, 0 = there is no more, and names."""
        cursor, page = self._redis.scan(cursor, match=pattern, count=PAGE)
        return cursor, page

    def _values(self, pages: Iterable[Sequence[bytes]]) -> Iterator[tuple[str, bytes]]:
        for names in pages:
            stored = self._ask(partial(self._stored, names)) if names else []
            for name, data in zip(names, stored, strict=True):
                if (value := _value(data)) is not None:
                    yield _text(name[len(_PREFIX) + 2 :]), value

    def append(self, timelines: Mapping[str, Iterable[Entry]], *, keep: int, keep_ms: int | None = None) -> None:
        waiting = iter(timelines.items())
        limits = (keep, "" if keep_ms is None else keep_ms)
        while chunk := [(_both(key), _rows(entries)) for key, entries in islice(waiting, CHUNK)]:
            self._ask(partial(self._append_all, chunk, limits))

    def _append_all(self, chunk: Sequence[tuple[tuple[bytes, bytes], list[Row]]], limits: tuple[Any, Any]) -> None:
        pipeline = self._redis.pipeline(transaction=False)
        for names, rows in chunk:
            for first in range(0, len(rows), CHUNK):
                arguments: list[Any] = [*limits, *chain.from_iterable(rows[first : first + CHUNK])]
                self._run(APPEND, names, arguments, pipeline)
        pipeline.execute()

    def latest(self, keys: Sequence[str], count: int) -> list[list[Entry]]:
        return self.read((), keys, count)[1]

    def read(
        self, keys: Sequence[str], timelines: Sequence[str], count: int
    ) -> tuple[list[bytes | None], list[list[Entry]]]:
        names = [_name(b"d", key) for key in keys]
        both = [_both(key) for key in timelines] if count > 0 else []
        if not names and not both:
            return [], [[] for _ in timelines]
        documents, stored = self._ask(lambda: self._read_all(names, both, count))
        return list(map(_value, documents)), list(map(_entries, stored)) if both else [[] for _ in timelines]

    def _read_all(
        self, names: Sequence[bytes], both: Sequence[tuple[bytes, bytes]], count: int
    ) -> tuple[Sequence[bytes | None], Sequence[Sequence[bytes]]]:
        documents, stored = self._run(READ, [*names, *chain.from_iterable(both)], [len(names), count])
        return documents, stored

    def until(self, key: str, at_ms: int, limit: int) -> list[Entry]:
        if limit <= 0:
            return []
        return _entries(self._ask(lambda: self._run(UNTIL, _both(key), [at_ms, limit])))

    def remove(self, key: str, ids: Sequence[str]) -> int:
        if not ids:
            return 0
        return sum(
            int(self._ask(partial(self._run, REMOVE, _both(key), list(map(_bytes, ids[first : first + CHUNK])))))
            for first in range(0, len(ids), CHUNK)
        )

    def expire(self, now_ms: int, limit: int) -> int:
        return 0  # Redis does it, by its own clock

    def close(self) -> None:
        self._is_closed = True
        if self._client is not None:
            self._client.close()

    def _ask(self, call: Callable[[], T]) -> T:
        if self._is_closed:
            raise StoreError(f"{self._place}: the online store is closed. Open it again")
        try:
            try:
                return call()
            except redis.ConnectionError:  # one that idled may have been cut; a timeout is no such thing
                return call()
        except (redis.RedisError, RedisClusterException, OSError) as error:
            raise StoreError(
                f"{self._place}: no answer, got {type(error).__name__}: {error}, expected one within {self._timeout_ms} ms. "
                "Start it, or set STITCHLAKE__ONLINE_STORE__URL"
            ) from error


def _bytes(text: str) -> bytes:
    return text.encode("utf-8", "surrogatepass")


def _text(name: bytes) -> str:
    return name.decode("utf-8", "surrogatepass")


def _name(kind: bytes, key: str) -> bytes:
    return _PREFIX + kind + b":" + _bytes(key)


def _both(key: str) -> tuple[bytes, bytes]:
    """A timeline's sorted set and hash; the braces keep them together in a cluster."""
    return _name(b"t", f"{{{key}}}"), _name(b"v", f"{{{key}}}")


def _time(at_ms: int) -> int:
    if abs(at_ms) > MOST:
        raise StoreError(f"online store: got the time {at_ms} ms, expected at most {MOST}. Mend the caller")
    return at_ms


def _rows(entries: Iterable[Entry]) -> list[Row]:
    return [(_time(entry.at_ms), _bytes(entry.id), entry.value) for entry in entries]


def _encoded(document: Document) -> bytes:
    if not 0 <= document.version <= MOST:
        raise StoreError(f"online store: got version {document.version}, expected 0 to {MOST}. Mend the caller")
    mark = b"-" if document.value is None else b"+"
    return b"%0*d" % (_DIGITS, document.version) + mark + (document.value or b"")


def _value(stored: bytes | None) -> bytes | None:
    return None if stored is None or stored[_DIGITS : _DIGITS + 1] == b"-" else stored[_DIGITS + 1 :]


def _entries(stored: Sequence[bytes]) -> list[Entry]:
    """id, time, id, time, ..., value, value, ..."""
    count = len(stored) // 3
    ids, times, values = stored[: 2 * count : 2], stored[1 : 2 * count : 2], stored[2 * count :]
    return [Entry(int(float(at)), _text(id_), value) for id_, at, value in zip(ids, times, values, strict=True)]
