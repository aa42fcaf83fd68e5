"""The online store in a Redis Cluster. Each document and each timeline is in a slot of its own, so no command names two of them.

What one server does by one command or script is here one pipeline: the commands for each node go out together. A timeline's two keys
have one hash tag, and with it one slot. Source: https://redis.io/docs/latest/operate/oss_and_stack/reference/cluster-spec/.
"""

from collections.abc import Iterator, Sequence
from functools import partial
from hashlib import sha1
from itertools import chain
from typing import Any

from redis.exceptions import NoScriptError

from lakehouse.online.redis_scripts import APPEND, PUT, READ
from lakehouse.online.redis_store import CHUNK, PAGE, RedisStore, Row

Command = tuple[Any, ...]


class RedisClusterStore(RedisStore):
    """See lakehouse/online/store.py for the contract."""

    def _stored(self, names: Sequence[bytes]) -> list[bytes | None]:
        return self._piped([("GET", name) for name in names])

    def _put_all(self, names: Sequence[bytes], values: Sequence[bytes], ends: Sequence[bytes]) -> int:
        each = zip(names, values, ends, strict=True)
        return int(sum(self._piped([_evaluated(PUT, [name], [value, end]) for name, value, end in each])))

    def _append_all(self, chunk: Sequence[tuple[tuple[bytes, bytes], list[Row]]], limits: tuple[Any, Any]) -> None:
        self._piped(
            [
                _evaluated(APPEND, names, [*limits, *chain.from_iterable(rows[first : first + CHUNK])])
                for names, rows in chunk
                for first in range(0, len(rows), CHUNK)
            ]
        )

    def _read_all(
        self, names: Sequence[bytes], both: Sequence[tuple[bytes, bytes]], count: int
    ) -> tuple[Sequence[bytes | None], Sequence[Sequence[bytes]]]:
        documents: list[Command] = [("GET", name) for name in names]
        found = self._piped(documents + [_evaluated(READ, one, [0, count]) for one in both])
        return found[: len(names)], [entries for _, (entries,) in found[len(names) :]]

    def _pages(self, pattern: bytes) -> Iterator[Sequence[bytes]]:
        for node in self._ask(lambda: self._redis.get_primaries()):
            cursor = 0
            while True:
                cursor, page = self._ask(partial(self._page_of, node, pattern, cursor))
                yield page
                if cursor == 0:
                    break

    def _page_of(self, node: Any, pattern: bytes, cursor: int) -> tuple[int, Sequence[bytes]]:
        cursors, page = self._redis.scan(cursor, match=pattern, count=PAGE, target_nodes=node)
        return cursors[node.name], page

    def _piped(self, commands: Sequence[Command]) -> list[Any]:
        """Their answers. A node that does not know a script yet is told of all of them, and everything is said again."""
        try:
            return self._execute(commands)
        except NoScriptError:
            for script in (PUT, APPEND, READ):
                self._redis.script_load(script)
            return self._execute(commands)

    def _execute(self, commands: Sequence[Command]) -> list[Any]:
        pipeline = self._redis.pipeline()
        for command in commands:
            pipeline.execute_command(*command)
        answers: list[Any] = pipeline.execute()
        return answers


def _evaluated(script: str, keys: Sequence[bytes], arguments: Sequence[Any]) -> Command:
    return ("EVALSHA", sha1(script.encode()).hexdigest(), len(keys), *keys, *arguments)
