"""What is exported: `conf/exports.yaml` as frozen values. Names of columns and expressions are checked against the tables' contracts."""

from collections import Counter
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Literal, Self

from pydantic import Field, model_validator

from lakehouse.catalog import TABLES
from lakehouse.config.declarations import Declared, Name, checked, read_document, refuse
from lakehouse.config.limits import PURPOSES
from lakehouse.decisions.offers import DeclaredPurpose
from lakehouse.errors import ConfigError, RuleError
from lakehouse.exports.mapping import RowMapping, mapping_of
from lakehouse.exports.shapes import SHAPES
from lakehouse.profiles.declaration import ProfileTable
from lakehouse.tables.contract import Table

Mode = Literal["insert", "update", "upsert", "mirror"]
PROFILE = "profile_id"
MOST_COLUMNS = 200


class Export(Declared):
    """One export. Every row is of a profile, and leaves only if the gate lets the profile pass for `purpose` and `use`.

    was: names it had: what is written down under them is taken over, so that what lies at the destination is known. table: of gold, with a column profile_id. also: tables with one row per profile, whose columns can be read beside its own.
    where: which rows, in the language of rules. columns: name at the destination -> expression. key: names among them.
    mode: insert (rows the destination never had), update (rows it has), upsert (both), mirror (and what is gone here goes there).
    to: a destination of conf/destinations.yaml. into: a table of a database; a file's name, whose ending says what kind; a path below a
    webhook's url; nothing for a topic. shape: how the requests look; None = as docs/exports.md says. options: of the shape.
    is_continuous: kept up to date while streams run, see lakehouse/exports/continuous.py; it can be run by hand all the same.
    """

    name: Name
    was: tuple[Name, ...] = ()
    owner: str
    description: str
    table: str
    also: tuple[str, ...] = ()
    where: str | None = None
    columns: Mapping[str, str] = Field(min_length=1, max_length=MOST_COLUMNS)
    key: tuple[str, ...] = Field(min_length=1)
    mode: Mode
    purpose: DeclaredPurpose
    use: Literal["offer", "profile"] = "offer"
    to: Name
    into: str = ""
    shape: str | None = None
    options: Mapping[str, str] = {}
    batch_rows: int | None = Field(default=None, ge=1, le=100_000)
    is_continuous: bool = False
    is_enabled: bool = True

    @model_validator(mode="after")
    def _is_usable(self) -> Self:
        missing = [name for name in self.key if name not in self.columns]
        if missing:
            raise ValueError(f"key: got '{missing[0]}', expected names of columns")
        self._refuse_shape()
        for name in (self.table, *self.also):
            _refuse_table(name, is_joined=name != self.table)
        self._refuse_unseen(self.mapping())
        return self

    def _refuse_unseen(self, mapping: RowMapping) -> None:
        """What is revised while a row goes on has no time that tells: nobody would hear of it."""
        revised = {
            table.name: (*table.revised, *table.passing) for table in self.tables if isinstance(table, ProfileTable)
        }
        for name in mapping.reads if self.is_continuous else ():
            table = mapping.words[name].group if name in mapping.words else ""
            if name in revised.get(table, ()):
                raise ValueError(
                    f"is_continuous: got true, expected false where '{name}' of {table} is read: it is revised without a time that "
                    "tells. Leave it out, or run the export by hand"
                )

    def _refuse_shape(self) -> None:
        if self.shape is None:
            return
        if self.shape not in SHAPES:
            raise ValueError(f"shape: got '{self.shape}', expected one of {', '.join(sorted(SHAPES))}")
        shape = SHAPES[self.shape]
        if missing := sorted(shape.needs - set(self.columns)):
            raise ValueError(f"columns: got none named '{missing[0]}', expected it for shape {self.shape}")
        if missing := sorted(shape.options - set(self.options)):
            raise ValueError(f"options: got no '{missing[0]}', expected it for shape {self.shape}")

    @property
    def tables(self) -> tuple[Table, ...]:
        """The tables it reads."""
        return tuple(TABLES[name] for name in (self.table, *self.also))

    def mapping(self) -> RowMapping:
        """Raises ValueError: an expression that cannot be used, with its place."""
        try:
            return mapping_of(self.tables, self.columns, self.key, self.where)
        except RuleError as error:
            raise ValueError(str(error)) from error


def _refuse_table(name: str, *, is_joined: bool) -> None:
    table = TABLES.get(name)
    if table is None or table.layer != "gold" or PROFILE not in table.column_names:
        raise ValueError(f"table: got '{name}', expected one of gold that says of which profile each row is")
    if is_joined and table.key != (PROFILE,):
        raise ValueError(f"also: got '{name}', expected a table with one row per profile")


def read_exports(path: Path, purposes: Collection[str] = PURPOSES) -> dict[str, Export]:
    """Read and check the file; all of them, by name. `purposes`: consent.purposes.

    Raises:
        ConfigError: one line for every fault found, with its place.
    """
    faults: list[str] = []
    entries = read_document(path, "exports").get("exports")
    found = checked(entries, Export, f"{path.name}: exports", faults, purposes=purposes)
    names = Counter(name for _, export in found for name in (export.name, *export.was))
    faults += [
        f"{path.name}: exports[{number}]: was: '{name}' is named twice, expected a name that no export has or had. Mend it"
        for number, export in found
        for name in export.was
        if names[name] > 1
    ]
    refuse(faults)
    return {export.name: export for _, export in found}


def continuous_exports(path: Path, purposes: Collection[str] = PURPOSES) -> list[Export]:
    """Those that are kept up to date while streams run. Raises ConfigError: as `read_exports`."""
    return [export for export in read_exports(path, purposes).values() if export.is_continuous and export.is_enabled]


def export_named(path: Path, name: str, purposes: Collection[str] = PURPOSES) -> Export:
    """Raises ConfigError: there is none of that name, or it is disabled."""
    exports = read_exports(path, purposes)
    export = exports.get(name)
    if export is None or not export.is_enabled:
        enabled = [one.name for one in exports.values() if one.is_enabled]
        got = "one that is not there" if export is None else "one that is disabled"
        raise ConfigError(
            f"{path.name}: '{name}': got {got}, expected one of {', '.join(enabled) or 'none that is enabled'}. Declare it"
        )
    return export
