"""LMDB beside the driver: what a micro-batch looks up in place of a scan. A cache of tables, never the truth.

It says which state of the tables it stands for (`stamp`); when they are at another, whoever opens it fills it again. Every
write is one transaction. Nothing is synced to disk: a process may die at any moment, and after the machine itself did, the
index is made anew, because it lives in a folder named after the machine's start.
"""

import shutil
import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from hashlib import blake2b
from pathlib import Path
from threading import Lock
from typing import ClassVar, TypedDict, TypeVar

import lmdb

from lakehouse import machine

_FIRST_BYTES = 2**28
_BOOT = Path("/proc/sys/kernel/random/boot_id")
MUST_SYNC = not _BOOT.exists()  # else nobody would notice that the machine died in the middle
_OPEN: dict[Path, "LocalIndex"] = {}  # LMDB must not be opened twice by one process
_LOOKING = Lock()  # nor by two of its threads
_META = "meta"


class Flags(TypedDict, total=False):
    """How LMDB opens a map."""

    integerkey: bool
    dupsort: bool
    dupfixed: bool
    integerdup: bool


class LocalIndex:
    """See the module. One per folder and process: get it by `opened`.

    MAPS: the maps of the index. There is one more, for the stamp and the like.
    """

    MAPS: ClassVar[Mapping[str, Flags]] = {}

    def __init__(self, folder: Path, *, is_read_only: bool = False) -> None:
        self._home = home_in(folder)
        self._is_read_only = is_read_only
        if not is_read_only:
            forget_others(self._home)
        self._is_synced = MUST_SYNC
        self._open()

    def _open(self) -> None:
        makes = not self._is_read_only
        if makes:
            self._home.mkdir(mode=0o700, exist_ok=True)
        self._env = lmdb.open(
            str(self._home), map_size=_FIRST_BYTES, max_dbs=len(self.MAPS) + 1, sync=self._is_synced,
            metasync=self._is_synced, readahead=False, mode=0o600, readonly=not makes, create=makes,
        )  # fmt: skip
        try:
            maps = {**self.MAPS, _META: Flags()}
            self._maps = {name: self._env.open_db(name.encode(), create=makes, **maps[name]) for name in maps}
        except lmdb.Error:
            self._env.close()
            raise
        self._inode = self._data_inode()

    def _data_inode(self) -> int | None:
        data = self._home / "data.mdb"
        return data.stat().st_ino if data.exists() else None

    @property
    def is_there(self) -> bool:
        """Whether its files are still those that were opened: a lake may have been deleted and made again."""
        return self._inode is not None and self._data_inode() == self._inode

    @property
    def bytes(self) -> int:
        """What its pages take."""
        return int(self._env.info()["last_pgno"] + 1) * int(self._env.stat()["psize"])

    def close(self) -> None:
        self._env.close()

    def clear(self) -> None:
        """Forget everything. The files go: LMDB would leave what it held in their free pages."""
        self._env.close()
        shutil.rmtree(self._home, ignore_errors=True)
        self._open()

    @property
    def stamp(self) -> str | None:
        """The state of the tables it stands for, as the last write was told; None = none."""
        with self.transaction() as transaction:
            return self.meta(transaction, "stamp")

    @contextmanager
    def transaction(self) -> Iterator[lmdb.Transaction]:
        """One consistent state, to read."""
        with self._env.begin(buffers=False) as transaction:
            yield transaction

    def meta(self, transaction: lmdb.Transaction, name: str) -> str | None:
        stored = transaction.get(name.encode(), db=self._maps[_META])
        return None if stored is None else bytes(stored).decode() or None

    def commit(self, body: Callable[[lmdb.Transaction], None], **meta: str | int | None) -> None:
        """Run `body` in one transaction, from its start again when the map was too small for it.

        Args:
            body: makes the changes.
            meta: what to remember with them; a `stamp` left out is None: an unfinished state.
        """
        while True:
            try:
                with self._env.begin(write=True) as transaction:
                    body(transaction)
                    for name, value in {"stamp": None, **meta}.items():
                        text = "" if value is None else str(value)
                        transaction.put(name.encode(), text.encode(), db=self._maps[_META])
                return
            except lmdb.MapFullError:
                self._env.set_mapsize(2 * self._env.info()["map_size"])


def home_in(folder: Path) -> Path:
    """Where in the folder of an index its files lie until the machine is started anew."""
    return folder / (_BOOT.read_text().strip() if _BOOT.exists() else "index")


def forget_others(home: Path) -> None:
    """Make the folder it is in, and delete what earlier starts of the machine left there."""
    home.parent.mkdir(parents=True, exist_ok=True)
    for other in home.parent.iterdir():
        if other != home:
            shutil.rmtree(other, ignore_errors=True)


Kind = TypeVar("Kind", bound=LocalIndex)


def opened(folder: Path, kind: type[Kind]) -> Kind:
    """The index in the folder, made when it is not there."""
    index = _OPEN.get(folder)
    if index is not None and not index.is_there:
        index.close()
        index = None
    if index is None:
        index = _OPEN[folder] = kind(folder)
    assert isinstance(index, kind)
    return index


def forget(root: str, name: str) -> None:
    """Let the index of that name of the lake at `root` hold nothing: whoever opens it fills it again."""
    folder = folder_of(root, name)
    index = _OPEN.get(folder)
    if index is not None and index.is_there:
        index.clear()
    else:
        shutil.rmtree(folder, ignore_errors=True)


@contextmanager
def looked_into(folder: Path, kind: type[Kind]) -> Iterator[Kind | None]:
    """The index in the folder as its owner, perhaps another process, left it; None where there is none. Not to be written.

    Opening it costs microseconds and keeps no file open that its owner may make anew.
    """
    with _LOOKING:
        index, own = None, _OPEN.get(folder)
        with suppress(lmdb.Error):
            index = kind(folder, is_read_only=True) if own is None else None
        found = own or index
        assert found is None or isinstance(found, kind)
        try:
            yield found
        finally:
            if index is not None:
                index.close()


def folder_of(root: str, name: str) -> Path:
    """Where the index of that name of the lake at `root` lives: in the lake, or beside the driver of a remote one."""
    folder = machine.local_folder(root)
    if folder is not None:
        return folder / f"_{name}_index"
    digest = blake2b(root.encode(), digest_size=8).hexdigest()
    return Path(tempfile.gettempdir()) / f"stitchlake-{name}-{digest}"
