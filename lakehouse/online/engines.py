"""Which engine keeps the online store: the one its URL names, opened. Each engine is imported by those who use it."""

from contextlib import closing
from pathlib import Path

from lakehouse import machine
from lakehouse.config import Config
from lakehouse.errors import StoreError
from lakehouse.online.store import LMDB, REDIS, OnlineStore


def open_store(url: str, *, timeout_ms: int = 50) -> OnlineStore:
    """The store at `lmdb://<folder>` (made when it is not there), or in Redis: lakehouse/online/redis_place.py has the forms of its URL.

    `timeout_ms`: of each exchange with Redis. A Redis that is not there is noticed by the first call, not here.

    Raises:
        StoreError: another kind of URL, or LMDB files that cannot be used.
    """
    if url.startswith(LMDB) and len(url) > len(LMDB):
        from lakehouse.online.lmdb_store import LmdbStore

        return LmdbStore(Path(url.removeprefix(LMDB)).absolute())
    if url.startswith(REDIS):
        from lakehouse.online.redis_cluster import RedisClusterStore
        from lakehouse.online.redis_place import CLUSTER, redis_place
        from lakehouse.online.redis_store import RedisStore

        place = redis_place(url)
        kind = RedisClusterStore if place.kind == CLUSTER else RedisStore
        return kind(place, timeout_ms=timeout_ms)
    raise StoreError(
        f"online_store.url: unknown kind of store, got '{url.split('@')[-1]}', expected lmdb://<folder> or redis://host:port. "
        "Mend the configuration"
    )


def open_kept_store(config: Config) -> OnlineStore:
    """What must outlive the machine and cannot be rebuilt from gold: what was told to the service, timers, what became of actions.

    Beside an LMDB online store one of its own, synced to disk; a Redis online store itself, which its owner makes durable.

    Raises:
        StoreError: as `open_store`.
    """
    url = store_url(config)
    if url.startswith(REDIS):
        return open_store(url, timeout_ms=1000)
    from lakehouse.online.lmdb_store import LmdbStore

    return LmdbStore(Path(f"{url.removeprefix(LMDB)}_kept").absolute(), survives=True)


def scrub(config: Config) -> None:
    """Leave nothing on this machine's disk of what is gone from either store. Redis gives memory back by itself; what it wrote to disk is its owner's.

    Raises:
        StoreError: they cannot be written anew.
    """
    url = store_url(config)
    if not url.startswith(LMDB):
        return
    from lakehouse.online.lmdb_store import LmdbStore

    online = Path(url.removeprefix(LMDB)).absolute()
    for folder, survives in ((online, False), (online.with_name(f"{online.name}_kept"), True)):
        with closing(LmdbStore(folder, survives=survives)) as store:
            store.rewrite()


def store_url(config: Config) -> str:
    """`online_store.url`; where it is empty, LMDB in the lake's own folder.

    Raises:
        StoreError: it is empty and the lake is not on this machine.
    """
    if config.online_store.url:
        return config.online_store.url
    folder = machine.local_folder(config.lake.root)
    if folder is None:
        raise StoreError(
            f"online_store.url: empty, got lake.root {config.lake.root}, expected redis://host:port where the lake is not on "
            "this machine. Set STITCHLAKE__ONLINE_STORE__URL"
        )
    return f"{LMDB}{folder}/_online"
