"""A person's e-mail address, looked up when the letter is written and kept nowhere else."""

from typing import Any, Protocol

import pyarrow.compute as pc
from deltalake import DeltaTable
from deltalake.exceptions import DeltaError, TableNotFoundError

from lakehouse.config import Config
from lakehouse.errors import LakeError
from lakehouse.events.identifiers import EMAIL, MAILBOX, Resolver
from lakehouse.machine import local_folder
from lakehouse.online.online_profile import OnlineProfile
from lakehouse.profiles.silver.personal_traits import SILVER_PERSONAL_TRAITS
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

    The table is read for every letter, a file or two: 20 ms that a webhook or a decision never waits for. An address
    counts only while its token is one of the profile's identifiers: the store and the lake may be of different moments,
    and a blocked or unlinked address is nobody's.
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
        actors = self._rows(SILVER_IDENTITY_MAP.name, "actor_id", pc.field("profile_id") == profile.profile_id)
        if not actors:
            raise LakeError(f"{SILVER_IDENTITY_MAP.name}: knows no profile {profile.profile_id} yet. It is tried again")
        is_told = (pc.field("trait") == EMAIL) & pc.field("value").is_valid()
        of_actors = pc.field("actor_id").isin([row["actor_id"] for row in actors]) & is_told
        traits = self._rows(SILVER_PERSONAL_TRAITS.name, "value, seen_at", of_actors)
        for row in sorted(traits, key=lambda trait: (trait["seen_at"], trait["value"]), reverse=True):
            if self._resolver.resolve(EMAIL, row["value"]) in owned:
                return str(row["value"]).strip()
        return None

    def _rows(self, table: str, columns: str, condition: pc.Expression) -> list[dict[str, Any]]:
        path = f"{self._root}/{table.replace('.', '/')}"
        try:
            table_rows = DeltaTable(path).to_pyarrow_dataset().to_table(columns=columns.split(", "), filter=condition)
        except (TableNotFoundError, DeltaError, OSError) as error:
            raise LakeError(f"{table}: cannot be read now, got {type(error).__name__}. It is tried again") from error
        rows: list[dict[str, Any]] = table_rows.to_pylist()
        return rows
