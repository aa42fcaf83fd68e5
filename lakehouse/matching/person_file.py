"""A file of person records, any CSV or Parquet -> identify events, one per record."""

import csv
import difflib
import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pandas as pd

from lakehouse.errors import SourceError
from lakehouse.kafka.message import Message
from lakehouse.matching.fields import KINDS
from lakehouse.matching.guess import kind_by_name, kind_by_values

_SAMPLE = 2_000  # values a kind is guessed from
_START = datetime(2026, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, kw_only=True)
class PersonRecords:
    """Records to match. ids: distinct texts. traits: trait -> values, None where absent. kinds: by trait. truth: person."""

    ids: list[str]
    traits: Mapping[str, list[str | None]]
    kinds: Mapping[str, str]
    truth: list[str] | None


def read_people(files: Sequence[Path], id_column: str, truth: str | None, mapping: Sequence[str]) -> PersonRecords:
    """Read the files as one table of texts.

    Args:
        files: CSV (comma, semicolon, tab or bar; UTF-8 or Latin-1; a header) or Parquet.
        id_column: an id per record; not compared.
        truth: column of the person, or `column=regex`: what its first group finds in the column. Not compared either,
            unless `mapping` names it.
        mapping: `column=trait` or `column=trait:kind`. None given: every other column is a trait of its own name.

    Raises:
        SourceError: no such file, no such column (the nearest is named), an unknown kind, an id twice, two columns of one
            trait, no column to compare, no person of some record, or no records.
    """
    table = pd.concat([_read(file) for file in files], ignore_index=True)
    if table.empty:
        raise SourceError(f"--data {files[0]}: no records, expected some. Give a file with a header and rows")
    ids = _column(table, id_column, "--id").fillna("")
    if ids.duplicated().any() or (ids == "").any():
        twice = ids[ids.duplicated() | (ids == "")].iloc[0]
        raise SourceError(
            f"--id {id_column}: got {twice!r} twice or empty, expected an id per record. Choose another column"
        )
    truth_column, people = _truth(table, truth)
    chosen = _chosen(table, mapping) if mapping else _all_others(table, {id_column, truth_column})
    _check_traits(chosen)
    traits = {trait: _texts(table[column]) for column, trait, _ in chosen}
    return PersonRecords(
        ids=ids.tolist(), traits=traits, kinds={trait: kind for _, trait, kind in chosen}, truth=people
    )


def messages(people: PersonRecords) -> Iterator[Message]:
    """One identify event per record: its id as anonymousId, its values as traits, a millisecond after the one before."""
    for number, record_id in enumerate(people.ids):
        traits = {trait: values[number] for trait, values in people.traits.items() if values[number] is not None}
        at = _START + timedelta(milliseconds=number)
        body = {
            "type": "identify",
            "messageId": f"record-{number}",
            "anonymousId": anonymous_id(record_id),
            "originalTimestamp": at.isoformat(),
            "traits": traits,
        }
        value = json.dumps(body, ensure_ascii=False).encode("utf-8", errors="replace")
        yield Message(key=record_id.encode("utf-8", errors="replace"), value=value, at=at)


def anonymous_id(record_id: str) -> str:
    """As it stands in the event: a bare number such as 0 would be taken for nobody's id."""
    return f"record:{record_id}"


def _read(file: Path) -> pd.DataFrame:
    if not file.is_file():
        raise SourceError(f"--data {file}: no such file, expected a CSV or Parquet file of records. Mend the path")
    try:
        if file.suffix.lower() in (".parquet", ".pq"):
            table = pd.read_parquet(file)
            table = table.astype(object).where(table.notna(), None).map(_text)
        else:
            table = _read_csv(file)
    except (ValueError, OSError) as error:
        raise SourceError(
            f"--data {file}: not readable, got {error}, expected CSV or Parquet. Mend the file"
        ) from error
    return table.rename(columns=lambda name: str(name).strip())


def _text(value: object) -> str | None:
    """As a CSV would have it: whole numbers without `.0`, which they get in a column with gaps."""
    if value is None or isinstance(value, str):
        return value
    return str(int(value)) if isinstance(value, float) and value.is_integer() else str(value)


def _read_csv(file: Path) -> pd.DataFrame:
    raw = file.read_bytes()
    try:
        raw.decode("utf-8-sig")
        encoding = "utf-8-sig"
    except UnicodeDecodeError:
        encoding = "latin-1"
    header = raw.partition(b"\n")[0].decode(encoding)
    try:
        separator = csv.Sniffer().sniff(header, delimiters=",;|\t").delimiter
    except csv.Error:
        separator = ","
    return pd.read_csv(file, sep=separator, dtype="str", encoding=encoding, skipinitialspace=True)


def _column(table: pd.DataFrame, name: str, option: str) -> pd.Series:
    if name not in table.columns:
        nearest = difflib.get_close_matches(name, list(table.columns), n=1, cutoff=0.0)
        raise SourceError(
            f"{option} {name}: no such column, expected one of {list(table.columns)}; did you mean {nearest[0]!r}? "
            "Mend the name"
        )
    column: pd.Series = table[name]
    return column


def _truth(table: pd.DataFrame, truth: str | None) -> tuple[str | None, list[str] | None]:
    """The column to leave out of comparison, and the person of every record."""
    if truth is None:
        return None, None
    if truth in table.columns or "=" not in truth:
        column = _column(table, truth, "--truth")
        if column.isna().any():
            row = int(column.isna().to_numpy().argmax()) + 1
            raise SourceError(
                f"--truth {truth}: empty in record {row}, expected a person of every record. Mend the file"
            )
        return truth, column.tolist()
    name, pattern = truth.split("=", 1)
    column = _column(table, name, "--truth").fillna("")
    try:
        found = column.map(lambda text: re.search(pattern, text))
        people = [match[1] if match is not None else None for match in found]
    except (re.error, IndexError) as error:
        raise SourceError(
            f"--truth {truth}: got {error}, expected column=regex with one group. Mend the regex"
        ) from error
    if None in people:
        raise SourceError(
            f"--truth {truth}: {column.iloc[people.index(None)]!r} does not match, expected all. Mend the regex"
        )
    return name, [str(person) for person in people]


def _chosen(table: pd.DataFrame, mapping: Sequence[str]) -> list[tuple[str, str, str]]:
    """(column, trait, kind) of every entry of --map."""
    chosen = []
    for entry in mapping:
        column, _, target = entry.partition("=")
        trait, _, kind = target.partition(":")
        values = _column(table, column.strip(), "--map")
        if not trait:
            raise SourceError(
                f"--map {entry}: got no trait, expected column=trait or column=trait:kind. Mend the entry"
            )
        if kind and kind not in KINDS:
            raise SourceError(f"--map {entry}: got kind {kind!r}, expected one of {list(KINDS)}. Mend the entry")
        chosen.append((column.strip(), _snake_case(trait), kind or _guess(trait, column, values)))
    return chosen


def _all_others(table: pd.DataFrame, without: set[str | None]) -> list[tuple[str, str, str]]:
    return [
        (str(name), _snake_case(str(name)), _guess("", str(name), table[name])) for name in table if name not in without
    ]


def _check_traits(chosen: Sequence[tuple[str, str, str]]) -> None:
    if not chosen:
        raise SourceError("--data: no column to compare, expected some beside --id and --truth. Mend the file")
    columns: dict[str, str] = {}
    for column, trait, _ in chosen:
        if columns.setdefault(trait, column) != column:
            raise SourceError(
                f"--data: columns {columns[trait]!r} and {column!r} are both the trait {trait!r}, expected one column per "
                "trait. Name the columns to compare with --map"
            )


def _guess(trait: str, column: str, values: pd.Series) -> str:
    """By the name of the column; if that says nothing, by the trait's; and then by the values."""
    sample = [value for value in _texts(values.dropna().head(_SAMPLE)) if value is not None]
    return kind_by_name(column) or kind_by_name(trait) or kind_by_values(sample)


def _snake_case(name: str) -> str:
    """As the parser of events makes a trait's name."""
    return re.sub(r"[\s.-]+", "_", re.sub(r"([a-z0-9])([A-Z])", r"\1_\2", name.strip())).lower()


def _texts(values: pd.Series) -> list[str | None]:
    return [value if isinstance(value, str) and value.strip() else None for value in values]
