"""A person's e-mail address, looked up when the letter is written and kept nowhere else."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Protocol

import lmdb
import pyarrow as pa
import pyarrow.compute as pc
from deltalake import DeltaTable
from deltalake.exceptions import DeltaError, TableNotFoundError

from lakehouse.config import Config
from lakehouse.errors import LakeError
from lakehouse.events.identifiers import EMAIL, MAILBOX, Resolver
from lakehouse.identity.index import FORMAT, Index
from lakehouse.identity.reach import members
from lakehouse.lake.delta_rs import version
from lakehouse.lake.local_index import LocalIndex, folder_of, looked_into
from lakehouse.machine import local_folder
from lakehouse.online.online_profile import OnlineProfile
from lakehouse.profiles.silver.personal_traits import SILVER_PERSONAL_TRAITS, TraitIndex
from lakehouse.tables.contract import Table
from lakehouse.tables.identity import SILVER_IDENTITY_MAP


class EmailAddresses(Protocol):
    """Where a person's e-mail address is looked up."""

    def latest(self, profile: OnlineProfile) -> str | None:
        """The address a person was last identified with; None when there is none that is theirs.

        Raises:
            LakeError: it cannot be looked up now.
        """


class DeltaEmailAddresses:
    """From silver.personal_traits of the profile's actors, read-only.

    On this machine they are looked up in the indexes beside the streaming driver: a letter costs as much however many people there
    are. An index that is not of the table's version, or not there, as on a remote lake, is not asked; then the table is read.
    An address counts only while its token is one of the profile's identifiers: the store and the lake may be of different
    moments, and a blocked or unlinked address is nobody's.
    """

    def __init__(self, config: Config) -> None:
        self._resolver = Resolver(config)
        folder = local_folder(config.lake.root)
        self._root = config.lake.root.rstrip("/") if folder is None else str(folder)

    def latest(self, profile: OnlineProfile) -> str | None:
        """See `EmailAddresses`."""
        owned = {(type_, token) for type_, token in profile.identifiers if type_ in (EMAIL, MAILBOX)}
        if not owned:
            return None
        try:
            actors = self._actors(profile.profile_id)
            if not actors:
                raise LakeError(
                    f"{SILVER_IDENTITY_MAP.name}: knows no profile {profile.profile_id} yet. It is tried again"
                )
            traits = self._addresses(actors)
        except lmdb.Error as error:
            raise LakeError(f"index of addresses: cannot be read now, got {error}. It is tried again") from error
        for row in sorted(traits, key=lambda trait: (trait["seen_at"], trait["value"]), reverse=True):
            if self._resolver.resolve(EMAIL, row["value"]) in owned:
                return str(row["value"]).strip()
        return None

    def _actors(self, profile_id: str) -> list[str]:
        with looked_into(folder_of(self._root, "identity"), Index) as index:
            if index is not None and self._is_current(index, SILVER_IDENTITY_MAP, FORMAT):
                return list(members(index, [profile_id])["actor_id"])
        rows = self._rows(SILVER_IDENTITY_MAP, ["actor_id", "profile_id"], pc.field("profile_id") == profile_id)
        return [row["actor_id"] for row in rows]

    def _addresses(self, actors: list[str]) -> list[dict[str, Any]]:
        """`value` and `seen_at` of every address the actors were identified with."""
        is_told = (pc.field("trait") == EMAIL) & pc.field("value").is_valid()
        with looked_into(folder_of(self._root, TraitIndex.NAME), TraitIndex) as index:
            if index is not None and self._is_current(index, SILVER_PERSONAL_TRAITS, TraitIndex.FORMAT):
                held: list[dict[str, Any]] = index.rows(actors).filter(is_told).to_pylist()
                return held
        read = ["actor_id", "trait", "value", "seen_at"]
        return self._rows(SILVER_PERSONAL_TRAITS, read, pc.field("actor_id").isin(actors) & is_told)

    def _is_current(self, index: LocalIndex, table: Table, format_: int) -> bool:
        """Else what it holds may have been erased from the table."""
        stamp = json.loads(index.stamp or "{}")
        if stamp.get("format") != format_:
            return False
        with _read(table):
            return bool(stamp.get(table.name) == version(self._path(table)))

    def _rows(self, table: Table, columns: list[str], condition: pc.Expression) -> list[dict[str, Any]]:
        """Filtered piece by piece, after reading: Arrow cannot compare text with the statistics of files that delta-rs has merged.

        `columns`: those of the condition among them.
        """
        with _read(table):
            pieces = DeltaTable(self._path(table)).to_pyarrow_dataset().to_batches(columns=columns)
            found = (pa.Table.from_batches([piece]).filter(condition) for piece in pieces)
            return [row for rows in found for row in rows.to_pylist()]

    def _path(self, table: Table) -> str:
        return f"{self._root}/{table.name.replace('.', '/')}"


@contextmanager
def _read(table: Table) -> Iterator[None]:
    try:
        yield
    except (TableNotFoundError, DeltaError, OSError) as error:
        raise LakeError(f"{table.name}: cannot be read now, got {type(error).__name__}. It is tried again") from error
