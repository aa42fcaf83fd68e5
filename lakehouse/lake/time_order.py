"""Delta files on this machine in the order of a time, or of a date: setting rows of a few moments reads and writes the files of these.

Delta rewrites whole files, and a merge pours every file it touches into one: after one merge of old and new rows each later one
would read them all. So the rows of whole spans of time are replaced instead, sorted, in files of a size.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import accumulate, pairwise
from urllib.parse import unquote

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.dataset as ds
from deltalake import CommitProperties, DeltaTable, write_deltalake

from lakehouse.lake.open_tables import opened
from lakehouse.tables.contract import Table

FILE_BYTES = 2**22  # some 30,000 rows of the identity tables: quick to replace, and few enough to list
MOST_ROWS = 2_000_000  # taken into memory at a time
MOST_LAYERS = 4
MOST_COMMITS = 16  # for rows set together

Span = tuple[int, int]
"""From and to, both inclusive, microseconds since 1970."""

_DAY = 86_400_000_000
_SLACK = 1_000  # statistics are cut to milliseconds by some writers
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_INT64 = (-(2**63), 2**63 - 1)


@dataclass(frozen=True, kw_only=True)
class File:
    """One file of a table; `span` holds the times of its rows, and may be a little wider."""

    path: str
    rows: int
    bytes: int
    span: Span


def files_of(stored: DeltaTable, path: str, column: str) -> list[File]:
    """The table's files, by time; one without statistics spans all of it."""
    actions = pa.table(stored.get_add_actions(flatten=True))
    if actions.num_rows == 0:
        return []
    sides = [_micros(actions[f"{side}.{column}"]) for side in ("min", "max")]
    rows = zip(
        actions["path"].to_pylist(),
        actions["num_records"].to_pylist(),
        actions["size_bytes"].to_pylist(),
        *sides,
        strict=True,
    )
    files = [
        File(
            path=f"{path}/{unquote(name)}",
            rows=MOST_ROWS if count is None else count,
            bytes=size,
            span=_INT64 if count is None or least is None or most is None else (least - _SLACK, most + _SLACK),
        )
        for name, count, size, least, most in rows
    ]
    return sorted(files, key=lambda file: file.span)


def set_rows(rows: pa.Table, table: Table, path: str, stored_at: pa.Array, *, deletes: bool) -> bool:
    """Set rows that are stored at these times, by key; remove those marked `is_deleted`, if `deletes`.

    Returns whether it was done. Nothing is written when a row is not stored where it was said to be, or when too many rows
    lie beside them: then a merge must do.
    """
    assert table.time_column is not None
    stored = opened(path)
    files = files_of(stored, path, table.time_column)
    times = np.sort(np.array(_micros(stored_at), dtype=np.int64))
    runs = runs_of(files, times)
    if not runs or sum(file.rows for run in runs for file in run) > MOST_ROWS:
        return False
    schema = pa.schema([rows.schema.field(name) for name in table.column_names])
    spans = _joined(_actual(run, table.time_column, schema) for run in runs)
    held = [_held(files, span, table.time_column, schema) for span in spans]
    changed, stored_counts = zip(*(_changed(part, rows, table, deletes=deletes) for part in held), strict=True)
    if sum(stored_counts) < rows.num_rows:
        return False
    column = table.time_column
    if all(_lies_in(part, column, span) for part, span in zip(changed, spans, strict=True)):
        for span, part, count in zip(spans, changed, stored_counts, strict=True):
            if count:
                _replace(path, column, [span], part)
        return True
    # A row that leaves its span must leave the one place and come to the other in one commit.
    moments = ((micros, micros) for micros in _micros(rows[column]))
    spans = _joined([*spans, *(point for point in moments if not any(_meets(point, span) for span in spans))])
    everything = pa.concat_tables([_held(files, span, column, schema) for span in spans])
    _replace(path, column, spans, _changed(everything, rows, table, deletes=deletes)[0])
    return True


def runs_of(files: Sequence[File], times: npt.NDArray[np.int64]) -> list[list[File]]:
    """The files that may hold rows of these times, in runs of neighbours: what is written together must be together in time.

    At most MOST_COMMITS; for the sake of that files between two runs are taken along, as few as possible. Both by time.
    """
    hit = [place for place, file in enumerate(files) if _holds(times, file.span)]
    gaps = sorted((-(later - place), later) for place, later in pairwise(hit) if later - place > 1)
    cuts = sorted(later for _, later in gaps[: MOST_COMMITS - 1])
    ends = [0, *(hit.index(cut) for cut in cuts), len(hit)]
    return [list(files[hit[start] : hit[end - 1] + 1]) for start, end in pairwise(ends) if hit]


def tidy(
    table: Table,
    path: str,
    schema: pa.Schema,
    *,
    most_bytes: int | None = None,
    noting: Callable[[DeltaTable], CommitProperties | None] = lambda _: None,
) -> int:
    """Rewrite files that are small or share time with others, so that what a span of time costs is again what it holds.

    `most_bytes`: of them at most; None = any, then spans of too many rows are sorted on disk. `noting`: what a commit on the table says
    besides. Returns how many files were rewritten.
    """
    assert table.time_column is not None
    column, left, rewritten = table.time_column, most_bytes, 0
    for span in untidy(files_of(opened(path), path, column)):
        stored = opened(path)
        files = files_of(stored, path, column)
        met = [file for file in files if _meets(file.span, span)]
        size = sum(file.bytes for file in met)
        if left is not None and size > left:
            continue
        if left is None and sum(file.rows for file in met) > MOST_ROWS:  # sorted by what spills to disk
            stored.optimize.z_order([column], target_size=FILE_BYTES, commit_properties=noting(stored))
            return len(files)
        told = _actual(met, column, schema) if span == _INT64 else span
        _replace(path, column, [told], _held(files, told, column, schema), noting(stored))
        rewritten += len(met)
        left = None if left is None else left - size
    return rewritten


def untidy(files: Sequence[File]) -> list[Span]:
    """The spans of time whose files are to be rewritten: where many share a moment, small ones beside each other, large ones of a merge.

    files: by span. Up to MOST_LAYERS may share a moment: one file with a row from long ago is no reason to write all since.
    """
    groups: list[list[File]] = []
    for file in files:
        shares = bool(groups) and file.span[0] < max(one.span[1] for one in groups[-1]) - 2 * _SLACK
        is_small = bool(groups) and file.bytes < FILE_BYTES // 4 and sum(f.bytes for f in groups[-1]) < FILE_BYTES // 2
        groups = [*groups[:-1], [*groups[-1], file]] if shares or is_small else [*groups, [file]]
    return [
        (group[0].span[0], max(file.span[1] for file in group))
        for group in groups
        if layers(group) > MOST_LAYERS
        or sum(file.bytes < FILE_BYTES // 4 for file in group) > 1
        or any(map(is_poured, group))
    ]


def is_poured(file: File) -> bool:
    """Whether it is large, and of more than one moment: a merge has written it, and the next one would write all of it anew."""
    return file.bytes > 2 * FILE_BYTES and _is_wide(file)


def _is_wide(file: File) -> bool:
    return file.span[1] - file.span[0] > 2 * _SLACK


def layers(files: Sequence[File]) -> int:
    """The most files that share a moment with others. Those of one moment each, as of a day, are apart as far as can be."""
    wide = [file for file in files if _is_wide(file)]
    ends = [(file.span[0] + _SLACK, 1) for file in wide] + [(file.span[1] - _SLACK + 1, -1) for file in wide]
    return max(accumulate(step for _, step in sorted(ends)), default=0)


def _held(files: Iterable[File], span: Span, column: str, schema: pa.Schema) -> pa.Table:
    """All rows of a span of time."""
    paths = [file.path for file in files if _meets(file.span, span)]
    rows = ds.dataset(paths, schema=schema, format="parquet").to_table()
    times = np.array(_micros(rows[column]), dtype=np.int64)
    return rows.filter(pa.array((times >= span[0]) & (times <= span[1])))


def _replace(
    path: str, column: str, spans: Iterable[Span], rows: pa.Table, noting: CommitProperties | None = None
) -> None:
    """Put rows in the place of all rows of the spans. Delta refuses rows that lie outside of them."""
    is_date = pa.types.is_date(rows.schema.field(column).type)
    write_deltalake(
        opened(path), rows.sort_by(column), mode="overwrite", predicate=within(column, spans, is_date=is_date),
        target_file_size=FILE_BYTES, commit_properties=noting,
    )  # fmt: skip


def _changed(held: pa.Table, rows: pa.Table, table: Table, *, deletes: bool) -> tuple[pa.Table, int]:
    """`held` with those of `rows` set that are there, by key; and how many are."""
    first = table.key[0]
    near = np.flatnonzero(pc.is_in(held[first], value_set=rows[first].combine_chunks()).to_numpy(zero_copy_only=False))
    place_of = dict(zip(_keys(held.take(near), table), near.tolist(), strict=True))
    is_here = [key in place_of for key in _keys(rows, table)]
    here = rows.filter(pa.array(is_here, pa.bool_()))
    stays = np.ones(held.num_rows, dtype=bool)
    stays[[place_of[key] for key in _keys(here, table)]] = False
    set_ = here.filter(pc.invert(here["is_deleted"])) if deletes else here
    both = [held.filter(pa.array(stays)), set_.select(table.column_names).cast(held.schema)]
    return pa.concat_tables(both), here.num_rows


def _keys(rows: pa.Table, table: Table) -> list[tuple[object, ...]]:
    return list(zip(*(rows[name].to_pylist() for name in table.key), strict=True))


def _actual(run: Sequence[File], column: str, schema: pa.Schema) -> Span:
    paths = [file.path for file in run]
    times = ds.dataset(paths, schema=pa.schema([schema.field(column)]), format="parquet").to_table()[column]
    return _ends(times)


def _ends(times: pa.ChunkedArray) -> Span:
    """The first and the last of them."""
    ends = pc.min_max(times)
    least, most = _micros(pa.array([ends["min"].as_py(), ends["max"].as_py()], times.type))
    return least, most


def _joined(spans: Iterable[Span]) -> list[Span]:
    """The same moments in as few spans as will do."""
    result: list[Span] = []
    for least, most in sorted(spans):
        if result and least <= result[-1][1]:
            result[-1] = (result[-1][0], max(most, result[-1][1]))
        else:
            result.append((least, most))
    return result


def _holds(times: npt.NDArray[np.int64], span: Span) -> bool:
    return bool(np.searchsorted(times, span[0]) < np.searchsorted(times, span[1], side="right"))


def _lies_in(rows: pa.Table, column: str, span: Span) -> bool:
    if rows.num_rows == 0:
        return True
    least, most = _ends(rows[column])
    return span[0] <= least and most <= span[1]


def _meets(one: Span, other: Span) -> bool:
    return one[0] <= other[1] and other[0] <= one[1]


def _micros(times: pa.Array | pa.ChunkedArray) -> list[int]:
    zone = None if pa.types.is_date(times.type) else times.type.tz
    micros: list[int] = times.cast(pa.timestamp("us", tz=zone)).cast(pa.int64()).to_pylist()
    return micros


def days_of(dates: pa.Array | pa.ChunkedArray, most: int) -> list[Span]:
    """Spans that hold all of the dates, at most so many: where most days lie between two of them."""
    times = np.unique(np.array(_micros(dates), dtype=np.int64))
    gaps = np.diff(times)
    cuts = np.sort(np.argsort(gaps)[::-1][: most - 1] + 1)
    return [(int(part[0]), int(part[-1])) for part in np.split(times, cuts) if part.size]


def within(column: str, spans: Iterable[Span], *, is_date: bool) -> str:
    """SQL that holds for the rows of these spans, and for no other."""
    to_literal = _date_literal if is_date else literal
    bounds = ((-(-least // _DAY) * _DAY, most) if is_date else (least, most) for least, most in spans)
    return " OR ".join(
        f"({column} >= {to_literal(least)} AND {column} <= {to_literal(most)})" for least, most in bounds
    )


def _date_literal(micros: int) -> str:
    return f"CAST('{(_EPOCH + timedelta(microseconds=micros)).date().isoformat()}' AS DATE)"


def literal(micros: int) -> str:
    """As DataFusion must be told it: its own TIMESTAMP counts nanoseconds without a zone, and is not compared with Delta's."""
    moment = (_EPOCH + timedelta(microseconds=micros)).isoformat(timespec="microseconds")
    return f"arrow_cast('{moment}', 'Timestamp(Microsecond, Some(\"UTC\"))')"
