"""The online store in Redis: for decision servers on more than one machine.

    stitchlake:d:<key>   document: 16 digits of version, `+` or `-` (gone), value
    stitchlake:t:{<key>} timeline: sorted set of ids by time
    stitchlake:v:{<key>} hash id -> value of the same timeline
    stitchlake:l:<prefix> set of the names of documents under a prefix of LISTED, and of some that are gone

Whatever reads before it writes is a script, which Redis runs alone. A connection that broke is tried once more: every
call may be repeated, since versions and ids make the second time do nothing.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import partial
from itertools import chain, islice
from typing import Any, TypeVar

import redis
from redis.backoff import NoBackoff
from redis.retry import Retry

from lakehouse.errors import StoreError
from lakehouse.online.store import LISTED, MOST, Document, Entry

_PREFIX = b"stitchlake:"
_CHUNK = 200  # documents a script, or timelines an exchange: others wait that long
_PAGE = 1000
_DIGITS = 16

T = TypeVar("T")
_Row = tuple[int, bytes, bytes]  # time, id, value

# Redis runs each of these alone. KEYS, ARGV: as the methods of `RedisStore` hand them over.
_PUT = """
local written = 0
for i, key in ipairs(KEYS) do
  local stored = redis.call('GETRANGE', key, 0, 15)
  if stored == '' or tonumber(stored) < tonumber(string.sub(ARGV[i], 1, 16)) then
    redis.call('SET', key, ARGV[i])
    if ARGV[#KEYS + i] ~= '' then redis.call('PEXPIREAT', key, ARGV[#KEYS + i]) end
    written = written + 1
  end
end
return written
"""
_APPEND = """
for i = 3, #ARGV, 3 do
  if redis.call('ZADD', KEYS[1], 'NX', ARGV[i], ARGV[i + 1]) == 1 then
    redis.call('HSET', KEYS[2], ARGV[i + 1], ARGV[i + 2])
  end
end
local over = redis.call('ZCARD', KEYS[1]) - tonumber(ARGV[1])
if over > 0 then
  for _, id in ipairs(redis.call('ZRANGE', KEYS[1], 0, over - 1)) do
    redis.call('HDEL', KEYS[2], id)
  end
  redis.call('ZREMRANGEBYRANK', KEYS[1], 0, over - 1)
end
local newest = redis.call('ZREVRANGE', KEYS[1], 0, 0, 'WITHSCORES')[2]
if ARGV[2] ~= '' and newest then
  local ends = string.format('%.0f', newest + ARGV[2])
  redis.call('PEXPIREAT', KEYS[1], ends)
  redis.call('PEXPIREAT', KEYS[2], ends)
end
"""
_READ = """
local documents, all = {}, {}
local first = tonumber(ARGV[1]) + 1
for i = 1, first - 1 do
  documents[i] = redis.call('GET', KEYS[i])
end
for i = first, #KEYS, 2 do
  local found = redis.call('ZREVRANGE', KEYS[i], 0, tonumber(ARGV[2]) - 1, 'WITHSCORES')
  for j = 1, #found, 2 do
    found[#found + 1] = redis.call('HGET', KEYS[i + 1], found[j])
  end
  all[#all + 1] = found
end
return {documents, all}
"""
_UNTIL = """
local found = redis.call('ZRANGEBYSCORE', KEYS[1], '-inf', ARGV[1], 'WITHSCORES', 'LIMIT', 0, ARGV[2])
for j = 1, #found, 2 do
  found[#found + 1] = redis.call('HGET', KEYS[2], found[j])
end
return found
"""


class RedisStore:
    """See lakehouse/online/store.py for the contract."""

    is_embedded = False

    def __init__(self, url: str, *, timeout_ms: int) -> None:
        seconds = timeout_ms / 1000
        try:
            # Any: its stubs promise either an answer or an awaitable of one.
            self._redis: Any = redis.Redis.from_url(
                url, socket_timeout=seconds, socket_connect_timeout=seconds, retry=Retry(NoBackoff(), 0)
            )
        except ValueError as error:
            raise StoreError(
                f"online_store.url: {error}, expected redis://host:port[/db]. Mend the configuration"
            ) from error
        connection = self._redis.connection_pool.connection_kwargs
        self._place = f"redis at {connection.get('host')}:{connection.get('port', 6379)}"
        self._timeout_ms = timeout_ms
        self._is_closed = False
        self._listed = set[str]()
        texts: Any = (_PUT, _APPEND, _READ, _UNTIL)
        self._put, self._append, self._read, self._until = map(self._redis.register_script, texts)

    def get(self, keys: Sequence[str]) -> list[bytes | None]:
        names = [_name(b"d", key) for key in keys]
        return [_value(stored) for stored in self._ask(lambda: self._redis.mget(names))] if names else []

    def put(self, documents: Iterable[Document]) -> int:
        waiting, written = iter(documents), 0
        while chunk := list(islice(waiting, _CHUNK)):
            for prefix in LISTED:  # first, so that none is written without being listed
                self._list(prefix, [_name(b"d", each.key) for each in chunk if each.key.startswith(prefix)])
            names, values = [_name(b"d", each.key) for each in chunk], [_encoded(each) for each in chunk]
            ends = [b"" if each.ends_ms is None else b"%d" % _time(each.ends_ms) for each in chunk]
            written += self._ask(partial(self._put, keys=names, args=[*values, *ends]))
        return written

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
        yield from self._values(names[first : first + _PAGE] for first in range(0, len(names), _PAGE))

    def _names(self, prefix: str) -> Iterator[list[bytes]]:
        """Of all documents under keys that begin so, each once."""
        start = _name(b"d", prefix)
        pattern = b"".join(b"\\" + bytes([c]) if c in b"*?[]\\^-" else bytes([c]) for c in start) + b"*"
        cursor, seen = 0, set[bytes]()  # Redis may name a key twice
        while True:
            cursor, page = self._ask(partial(self._redis.scan, cursor, match=pattern, count=_PAGE))
            names = [name for name in dict.fromkeys(page) if name not in seen]
            seen.update(names)
            yield names
            if cursor == 0:
                return

    def _values(self, pages: Iterable[Sequence[bytes]]) -> Iterator[tuple[str, bytes]]:
        for names in pages:
            stored = self._ask(partial(self._redis.mget, names)) if names else []
            for name, data in zip(names, stored, strict=True):
                if (value := _value(data)) is not None:
                    yield _text(name[len(_PREFIX) + 2 :]), value

    def append(self, timelines: Mapping[str, Iterable[Entry]], *, keep: int, keep_ms: int | None = None) -> None:
        waiting = iter(timelines.items())
        limits = (keep, "" if keep_ms is None else keep_ms)
        while chunk := [(_both(key), _rows(entries)) for key, entries in islice(waiting, _CHUNK)]:
            self._ask(partial(self._append_all, chunk, limits))

    def _append_all(self, chunk: Sequence[tuple[tuple[bytes, bytes], list[_Row]]], limits: tuple[Any, Any]) -> None:
        pipeline = self._redis.pipeline(transaction=False)
        for names, rows in chunk:
            for first in range(0, len(rows), _CHUNK):
                arguments: list[Any] = [*limits, *chain.from_iterable(rows[first : first + _CHUNK])]
                self._append(keys=names, args=arguments, client=pipeline)
        pipeline.execute()

    def latest(self, keys: Sequence[str], count: int) -> list[list[Entry]]:
        return self.read((), keys, count)[1]

    def read(
        self, keys: Sequence[str], timelines: Sequence[str], count: int
    ) -> tuple[list[bytes | None], list[list[Entry]]]:
        asked = timelines if count > 0 else ()
        names = [_name(b"d", key) for key in keys] + [name for key in asked for name in _both(key)]
        if not names:
            return [], [[] for _ in timelines]
        documents, stored = self._ask(lambda: self._read(keys=names, args=[len(keys), count]))
        return list(map(_value, documents)), list(map(_entries, stored)) if asked else [[] for _ in timelines]

    def until(self, key: str, at_ms: int, limit: int) -> list[Entry]:
        if limit <= 0:
            return []
        return _entries(self._ask(lambda: self._until(keys=_both(key), args=[at_ms, limit])))

    def remove(self, key: str, ids: Sequence[str]) -> int:
        if not ids:
            return 0
        return int(self._ask(partial(self._remove, _both(key), list(map(_bytes, ids)))))

    def _remove(self, names: tuple[bytes, bytes], ids: Sequence[bytes]) -> int:
        pipeline = self._redis.pipeline(transaction=True)  # of its own at each try: a broken connection empties one
        pipeline.zrem(names[0], *ids)
        pipeline.hdel(names[1], *ids)
        return int(pipeline.execute()[0])

    def expire(self, now_ms: int, limit: int) -> int:
        return 0  # Redis does it, by its own clock

    def close(self) -> None:
        self._is_closed = True
        self._redis.close()

    def _ask(self, call: Callable[[], T]) -> T:
        if self._is_closed:
            raise StoreError(f"{self._place}: the online store is closed. Open it again")
        try:
            try:
                return call()
            except redis.ConnectionError:  # one that idled may have been cut; a timeout is no such thing
                return call()
        except (redis.RedisError, OSError) as error:
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


def _rows(entries: Iterable[Entry]) -> list[_Row]:
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
