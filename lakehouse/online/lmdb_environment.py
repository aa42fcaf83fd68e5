"""An LMDB environment shared by threads and processes: opened once per process, grown when full, reopened when replaced.

The folder holds one environment, named after the machine's start: nothing is synced to disk, since a fsync per event
costs more than the whole answer it delays. Every process may die at any moment and loses nothing; the machine itself
may not, so after its restart the store begins anew and the `events` query fills it again.
"""

import os
import re
import shutil
import time
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from threading import Condition, Lock
from typing import TypeVar

import lmdb

from lakehouse import machine
from lakehouse.errors import StoreError
from lakehouse.online.store import REBUILD

FORMAT = b"1"
FIRST_BYTES = 2**28
LOOK_SECONDS = 0.05  # how soon a store that was replaced is noticed
_MOST_READERS = 1024  # a slot per thread that ever reads
_HOME = re.compile(r"store|[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")
_BOOT = Path("/proc/sys/kernel/random/boot_id")
_OPEN: dict[Path, "Environment"] = {}  # LMDB must not be opened twice by one process
_opening = Lock()

T = TypeVar("T")
Databases = Sequence["lmdb._Database"]
Body = Callable[[lmdb.Transaction, Databases], T]


class Environment:
    """See the module. Get it by `acquire`, give it back by `release`."""

    def __init__(self, folder: Path, names: Sequence[bytes], *, survives: bool = False) -> None:
        self.folder = folder
        self.users = 0
        self._names = names
        self._lock = Lock()
        self._gate = Condition(self._lock)
        self._running = 0  # transactions of this process
        self._is_shut = False  # while the map is resized or the files are reopened
        self._pid = os.getpid()
        self._looked_at = 0.0
        boot = _BOOT.read_text().strip() if _BOOT.exists() and not survives else None
        self._syncs = boot is None  # else nobody would notice that the machine died in the middle
        self._home = folder / (boot or "store")
        self._data = self._home / "data.mdb"
        self._open()

    def read(self, body: Body[T]) -> T:
        """Run in one consistent state."""
        return self._run(body, write=False)

    def write(self, body: Body[T]) -> T:
        """Run alone among all writers, all or nothing. May be run again from its start when the map was too small."""
        return self._run(body, write=True)

    def _run(self, body: Body[T], *, write: bool) -> T:
        while True:
            self._enter()
            try:
                with self._env.begin(write=write) as transaction:
                    if not write or self._inode() in (self._opened, None):
                        return body(transaction, self._databases)
                wanted = None  # it was replaced while another held the lock: see `rewrite`
            except lmdb.MapFullError:
                wanted = 2 * int(self._env.info()["map_size"])
            except lmdb.MapResizedError:
                wanted = 0  # another process made it larger: take its size
            except lmdb.Error as error:
                raise unreadable(self._home, error) from error
            finally:
                self._leave()
            self._alone(self._reopen if wanted is None else partial(self._resize, wanted))

    def rewrite(self) -> None:
        """Write what there is into new files, and let them take the place of these at once.

        LMDB leaves what was deleted in pages that are free, and in the gaps of others. Nobody writes meanwhile; whoever wants to, or reads, goes on with the new files.

        Raises:
            StoreError: it cannot be done here.
        """
        fresh = self._home.with_name(f"{self._home.name}.new")

        def exchange(transaction: lmdb.Transaction, databases: Databases) -> None:
            shutil.rmtree(fresh, ignore_errors=True)
            self._copy(transaction, databases, fresh)
            machine.exchange(fresh, self._home)

        try:
            self.write(exchange)
        except OSError as error:
            raise unreadable(self._home, error) from error
        shutil.rmtree(fresh, ignore_errors=True)
        self._alone(self._reopen)

    def _copy(self, transaction: lmdb.Transaction, databases: Databases, to: Path) -> None:
        to.mkdir()
        size = int(self._env.info()["map_size"])
        with lmdb.open(str(to), map_size=size, max_dbs=len(self._names) + 1, max_readers=_MOST_READERS) as copy:
            copied = [copy.open_db(name) for name in self._names]
            with copy.begin(write=True) as writing:
                writing.put(b"format", FORMAT)
                for ours, theirs in zip(databases, copied, strict=True):
                    for key, value in transaction.cursor(db=ours):
                        writing.put(key, value, db=theirs, append=True)
            copy.sync(True)

    def _resize(self, size: int) -> None:
        if size == 0 or size > self._env.info()["map_size"]:
            self._env.set_mapsize(size)

    def _enter(self) -> None:
        now = time.monotonic()
        if now - self._looked_at >= LOOK_SECONDS:  # a look costs more than a read
            if self._inode() != self._opened:
                self._alone(self._reopen)
            self._looked_at = now
        with self._lock:
            while self._is_shut:
                self._gate.wait()
            self._running += 1

    def _leave(self) -> None:
        with self._lock:
            self._running -= 1
            if self._is_shut and self._running == 0:
                self._gate.notify_all()

    def _alone(self, act: Callable[[], None]) -> None:
        """Act while no transaction of this process runs."""
        with self._gate:
            while self._is_shut:
                self._gate.wait()
            self._is_shut = True
            while self._running > 0:
                self._gate.wait()
        try:
            act()
        except lmdb.Error as error:
            raise unreadable(self._home, error) from error
        finally:
            with self._gate:
                self._is_shut = False
                self._gate.notify_all()

    def _inode(self) -> int | None:
        try:
            return self._data.stat().st_ino
        except OSError:
            return None

    def _reopen(self) -> None:
        """The lake was deleted and perhaps made again: its new store, if there is one."""
        if self._pid != os.getpid():
            raise StoreError(f"{self.folder}: the online store was opened before a fork. Open it in each process anew")
        inode = self._inode()
        if inode == self._opened:
            return
        if inode is None:
            raise StoreError(f"{self.folder}: the online store is gone, expected data.mdb. {REBUILD}, or start again")
        self._env.close()
        self._open()

    def _open(self) -> None:
        try:
            self._home.mkdir(parents=True, exist_ok=True)
            for other in _homes(self.folder):
                if other != self._home:
                    shutil.rmtree(other, ignore_errors=True)
            self._env, self._opened = self._made()
            self._env.reader_check()  # slots of processes that were killed
            self._check()
            self._databases = tuple(self._env.open_db(name) for name in self._names)
        except (lmdb.Error, OSError) as error:
            raise unreadable(self._home, error) from error

    def _made(self) -> tuple[lmdb.Environment, int | None]:
        """The environment, and which file it has. Data and lock are opened one after the other: both of one store, or again, see `rewrite`."""
        while True:
            before = self._files()
            env = lmdb.open(
                str(self._home), map_size=FIRST_BYTES, max_dbs=len(self._names) + 1, max_readers=_MOST_READERS,
                sync=self._syncs, metasync=self._syncs, readahead=False, max_spare_txns=8,
            )  # fmt: skip
            found = self._files()
            if before in (None, found):
                return env, None if found is None else found[0]
            env.close()

    def _files(self) -> tuple[int, int] | None:
        try:
            return self._data.stat().st_ino, self._data.with_name("lock.mdb").stat().st_ino
        except OSError:
            return None

    def _check(self) -> None:
        """Of this format, and whole: reading beyond the end of a truncated file would kill the process."""
        least = (int(self._env.info()["last_pgno"]) + 1) * int(self._env.stat()["psize"])
        if self._data.stat().st_size < least and self._env.stat()["entries"] > 0:
            self._refuse(f"{self._data.stat().st_size} bytes", f"{least}")
        with self._env.begin() as transaction:
            is_new = transaction.stat()["entries"] == 0
            stored_format = None if is_new else transaction.get(b"format")
        if is_new:
            with self._env.begin(write=True) as transaction:
                transaction.put(b"format", FORMAT, overwrite=False)
        elif stored_format != FORMAT:
            self._refuse(f"format {stored_format!r}", repr(FORMAT))

    def _refuse(self, got: str, expected: str) -> None:
        self._env.close()
        raise StoreError(f"{self._home}: not a usable online store, got {got}, expected {expected}. {REBUILD}")

    def close(self) -> None:
        self._alone(self._env.close)


def acquire(folder: Path, names: Sequence[bytes], *, survives: bool = False) -> Environment:
    """The process's environment of the folder, opened when it is not yet. `survives`: synced, so that it outlives the machine."""
    with _opening:
        environment = _OPEN.get(folder)
        if environment is not None and (environment._pid != os.getpid() or environment._inode() is None):
            if environment._pid == os.getpid():
                environment.close()
            environment = None
        if environment is None:
            environment = _OPEN[folder] = Environment(folder, names, survives=survives)
        environment.users += 1
        return environment


def release(environment: Environment) -> None:
    with _opening:
        environment.users -= 1
        if environment.users == 0:
            if _OPEN.get(environment.folder) is environment:
                del _OPEN[environment.folder]
            environment.close()


def discard(folder: Path) -> None:
    """Delete the store's files, whatever they hold. Others that have them open notice, and open what comes next."""
    for home in _homes(folder):
        shutil.rmtree(home, ignore_errors=True)


def _homes(folder: Path) -> list[Path]:
    """Where stores are or were. The folder may be anybody's: nothing else in it is touched."""
    return [path.parent for path in folder.glob("*/data.mdb") if _HOME.fullmatch(path.parent.name)]


def unreadable(home: Path, error: Exception) -> StoreError:
    return StoreError(f"{home}: the online store cannot be used, got {type(error).__name__}: {error}. {REBUILD}")
