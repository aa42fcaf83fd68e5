"""The identity graph where a micro-batch can look it up: what it reads and writes is what it touches, however large the lake.

A cache of silver.identity_edges, silver.identity_map and what is open of silver.identity_history, in LMDB beside the driver,
never the truth. It says which state of the tables it stands for (`stamp`); when the tables are at another, whoever opens
it fills it again (lakehouse/profiles/identity_lake.py). Six maps:

    numbers      actor_id -> actor number
    actors       actor number -> Record: its map row and its edges
    carriers     identifier -> numbers of the actors that carry it
    components   actor number that names a component -> numbers of the actors in it
    since        actor number -> when it came to its profile
    meta         stamp, and the latest time written to the tables

Every write is one transaction. Nothing is synced to disk: a process may die at any moment, and after the machine itself
did, the index is made anew, because it lives in a folder named after the machine's start.
"""

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import lmdb
import pandas as pd

from lakehouse.identity.lookup import Databases, Reader, Writer

FORMAT = 2
_FIRST_BYTES = 2**28
_BOOT = Path("/proc/sys/kernel/random/boot_id")
_OPEN: dict[Path, "Index"] = {}  # LMDB must not be opened twice by one process


class Index:
    """See the module. One per folder and process: get it by `opened`."""

    def __init__(self, folder: Path) -> None:
        boot = _BOOT.read_text().strip() if _BOOT.exists() else None
        folder.mkdir(parents=True, exist_ok=True)
        self._home = folder / (boot or "index")
        for other in folder.iterdir():
            if other != self._home:
                shutil.rmtree(other, ignore_errors=True)
        is_safe = boot is not None  # else nobody would notice that the machine died in the middle
        self._env = lmdb.open(
            str(self._home), map_size=_FIRST_BYTES, max_dbs=6, sync=not is_safe, metasync=not is_safe, readahead=False
        )
        self._databases = Databases(
            meta=self._env.open_db(b"meta"),
            numbers=self._env.open_db(b"numbers"),
            actors=self._env.open_db(b"actors", integerkey=True),
            carriers=self._env.open_db(b"carriers", dupsort=True, dupfixed=True, integerdup=True),
            since=self._env.open_db(b"since", integerkey=True),
            components=self._env.open_db(b"components", integerkey=True, dupsort=True, dupfixed=True, integerdup=True),
        )
        self._inode = self._data_inode()

    def _data_inode(self) -> int | None:
        data = self._home / "data.mdb"
        return data.stat().st_ino if data.exists() else None

    @property
    def is_there(self) -> bool:
        """Whether its files are still those that were opened: a lake may have been deleted and made again."""
        return self._inode is not None and self._data_inode() == self._inode

    def close(self) -> None:
        self._env.close()

    @property
    def stamp(self) -> str | None:
        """The state of the tables it stands for, as `commit` was told; None = none."""
        with self.reading() as reader:
            return reader.meta("stamp")

    @contextmanager
    def reading(self) -> Iterator[Reader]:
        """One consistent state."""
        with self._env.begin(buffers=False) as transaction:
            yield Reader(self._databases, transaction)

    def clear(self) -> None:
        """Forget everything."""
        with self._env.begin(write=True) as transaction:
            for database in vars(self._databases).values():
                transaction.drop(database, delete=False)

    def write(
        self,
        *,
        map_rows: pd.DataFrame | None = None,
        edge_rows: pd.DataFrame | None = None,
        gone_edges: pd.DataFrame | None = None,
        history_rows: pd.DataFrame | None = None,
        stamp: str | None = None,
        latest: int | None = None,
    ) -> None:
        """Set rows by key, in one transaction.

        Args:
            map_rows: rows of silver.identity_map.
            edge_rows: rows of silver.identity_edges.
            gone_edges: edges to forget, by key.
            history_rows: rows of silver.identity_history that are open.
            stamp: the state of the tables this brings the index to; None = an unfinished one.
            latest: the latest time ever written to the tables, microseconds.
        """
        while True:
            try:
                with self._env.begin(write=True) as transaction:
                    writer = Writer(self._databases, transaction)
                    writer.put(map_rows, edge_rows, gone_edges, history_rows)
                    for name, value in (("stamp", stamp), ("latest", latest)):
                        if value is not None or name == "stamp":
                            writer.set_meta(name, value)
                return
            except lmdb.MapFullError:
                self._env.set_mapsize(2 * self._env.info()["map_size"])


def opened(folder: Path) -> Index:
    """The index in the folder, made when it is not there or of another format."""
    index = _OPEN.get(folder)
    if index is not None and not index.is_there:
        index.close()
        index = None
    if index is None:
        index = _OPEN[folder] = Index(folder)
    return index
