"""Files of a known truth, in any spelling: what is mapped is right, counts and money are DuckDB's, and what nobody can tell is unsure."""

import random
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import yaml

from lakehouse.adoption import declared, report
from lakehouse.adoption.adopt import Looked, apart, known, look, propose
from lakehouse.adoption.draft import Draft
from lakehouse.adoption.known_sources import declared_sources
from lakehouse.config import PROJECT, load
from lakehouse.config.paths import SOURCES
from lakehouse.sources.declaration import SourceDeclaration
from lakehouse.sources.record_files import records
from lakehouse.sources.source import Source

CONFIG = load("dev", environ={})
SAMPLES = PROJECT / "tests" / "lakehouse" / "sources" / "samples"
NOW = datetime(2026, 3, 1, tzinfo=UTC)
NAMES = {
    "english": ("order_id", "customer_id", "email", "order_date", "total", "currency", "sku", "quantity", "unit_price", "note"),
    "german": (
        "Bestellnummer", "Kundennummer", "E-Mail", "Bestelldatum", "Gesamtbetrag", "Währung", "Artikelnummer", "Menge", "Einzelpreis", "Bemerkung",
    ),
    "camel": ("orderId", "customerId", "emailAddress", "orderedAt", "totalPrice", "currencyCode", "productId", "qty", "unitPrice", "note"),
    "opaque": ("f1", "f2", "f3", "f4", "f5", "f6", "f7", "f8", "f9", "f10"),
}  # fmt: skip
ROLES = ("order", "customer", "email", "time", "total", "currency", "product", "quantity", "price", "note")
# Role of a column in truth -> what it may become.
MAY_BECOME = {
    "order": {"properties.order_id"},
    "customer": {"identifiers.user_id", "identifiers.guest_id"},
    "email": {"identifiers.email"},
    "time": {"time"},
    "total": {"properties.revenue"},
    "currency": {"properties.currency"},
    "product": {"lines.product_id", "properties.product_id"},
    "quantity": {"lines.quantity", "properties.quantity"},
    "price": {"lines.price", "properties.price"},
    "note": set[str](),
}
DATES = {
    "iso": "%Y-%m-%dT%H:%M:%SZ", "day_first": "%d.%m.%Y %H:%M", "month_first": "%m/%d/%Y %H:%M", "compact": "%Y%m%d", "seconds": "", "milliseconds": "",
}  # fmt: skip


@dataclass
class Truth:
    """columns: name -> its role. rows: as written, all texts. worth: order -> money; at: its time."""

    columns: dict[str, str]
    rows: list[dict[str, str]] = field(default_factory=list)
    worth: dict[str, Decimal] = field(default_factory=dict)
    at: dict[str, datetime] = field(default_factory=dict)


def written(amount: Decimal, mark: str) -> str:
    text = f"{amount:,.2f}"
    return text if mark == "." else text.translate(str.maketrans(",.", ".,"))


def date_text(moment: datetime, how: str) -> str:
    if DATES[how]:
        return moment.strftime(DATES[how])
    return str(int(moment.timestamp()) * (1000 if how == "milliseconds" else 1))


def shop(chance: random.Random, language: str, how: str, mark: str, *, of_lines: bool, up_to_day: int = 28) -> Truth:
    """Orders of a shop: 60 of them by 20 customers, each with an address of their own."""
    names = dict(zip(ROLES, NAMES[language], strict=True))
    roles = [role for role in ROLES if of_lines or role not in ("product", "quantity", "price")]
    roles = [role for role in roles if role != "total" or not of_lines]
    chance.shuffle(roles)
    truth = Truth(columns={names[role]: role for role in roles})
    for number in range(60):
        customer = chance.randrange(20)
        moment = datetime(
            2024, chance.randint(1, 12), chance.randint(1, up_to_day), 10, chance.randrange(60), tzinfo=UTC
        )
        moment = moment.replace(hour=0, minute=0) if how == "compact" else moment
        order = f"A{1000 + number}"
        truth.at[order] = moment
        truth.worth[order] = Decimal(0)
        for _ in range(chance.randint(1, 4) if of_lines else 1):
            price, pieces = Decimal(chance.randint(100, 300_000)) / 100, chance.randint(1, 5) if of_lines else 1
            truth.worth[order] += price * pieces
            said = {
                "order": order, "customer": f"C{customer:03}", "email": f"c{customer}@shop.example", "time": date_text(moment, how),
                "total": written(price, mark), "currency": "EUR", "product": f"P-{chance.randrange(30)}", "quantity": str(pieces),
                "price": written(price, mark), "note": chance.choice(("", "gift", "ring; then, knock")),
            }  # fmt: skip
            truth.rows.append({names[role]: said[role] for role in roles})
    return truth


def save(path: Path, truth: Truth, delimiter: str, encoding: str = "utf-8-sig") -> Path:
    lines = [delimiter.join(truth.columns)]
    lines += [
        delimiter.join(f'"{row[name]}"' if set(row[name]) & set(',;"') else row[name] for name in truth.columns)
        for row in truth.rows
    ]
    path.write_bytes("\r\n".join(lines).encode(encoding))
    return path


def proposed(path: Path, answers: Mapping[str, str] = {}) -> tuple[Looked, Draft]:
    (looked,) = look([path], answers, CONFIG)
    return looked, propose(looked, path.stem, answers, CONFIG, lambda _: {}, NOW)


def source_of(looked: Looked, draft: Draft) -> Source:
    """By the file's text, as it would be written."""
    text = declared.text(draft, looked.layout.declared, [file.name for file in looked.files])
    return Source.declared("adopted", SourceDeclaration.model_validate(yaml.safe_load(text)), CONFIG)


def documents(path: Path, source: Source) -> list[dict[str, object]]:
    return [
        source.mapped(record, f"r{number}").document or {}
        for number, record in enumerate(records(path, source.format, CONFIG))
    ]


def worth_of(document: Mapping[str, object]) -> Decimal:
    """As the parse has it: what was said, or price x quantity of the lines."""
    properties = document["properties"]
    assert isinstance(properties, dict)
    if "revenue" in properties:
        return Decimal(str(properties["revenue"]))
    return sum(
        (Decimal(str(one["price"])) * Decimal(str(one["quantity"])) for one in properties["products"]), Decimal(0)
    )


CASES = [
    (seed, language, how, mark, delimiter, of_lines)
    for seed, (language, how, mark, delimiter, of_lines) in enumerate(
        [
            ("english", "iso", ".", ",", False),
            ("english", "month_first", ".", ",", True),
            ("english", "seconds", ",", ";", True),
            ("english", "compact", ".", "\t", False),
            ("german", "day_first", ",", ";", False),
            ("german", "day_first", ",", ";", True),
            ("german", "milliseconds", ".", "|", False),
            ("camel", "iso", ",", "\t", True),
            ("camel", "month_first", ".", ";", False),
        ]
    )
]


@pytest.mark.parametrize(("seed", "language", "how", "mark", "delimiter", "of_lines"), CASES)
def test_what_is_mapped_is_right_and_counts_and_money_are_those_of_the_raw_file(
    seed: int, language: str, how: str, mark: str, delimiter: str, of_lines: bool, tmp_path: Path
) -> None:
    truth = shop(random.Random(seed), language, how, mark, of_lines=of_lines)
    path = save(tmp_path / "file.csv", truth, delimiter)
    looked, draft = proposed(path)
    assert draft.is_ready, "\n".join(report.of_draft(looked, draft))
    assert_mapped_right(draft, truth)
    found = {one["properties"]["order_id"]: one for one in documents(path, source_of(looked, draft))}  # type: ignore[index]
    assert {order: worth_of(one) for order, one in found.items()} == truth.worth
    assert {order: datetime.fromisoformat(str(one["timestamp"])) for order, one in found.items()} == truth.at
    assert by_duckdb(path, truth, mark, delimiter) == (len(found), sum(map(worth_of, found.values())))


def assert_mapped_right(draft: Draft, truth: Truth) -> None:
    for one in (*draft.fields.values(), *draft.line_fields.values()):
        if one.evidence != "kept as it is" and not one.evidence.startswith("unsure"):
            assert one.goes_to in MAY_BECOME[truth.columns[one.column.name]], one
            assert one.evidence


def by_duckdb(path: Path, truth: Truth, mark: str, delimiter: str) -> tuple[int, Decimal]:
    """Orders and money of the raw file, by its own reader and by SQL alone."""
    names = {role: f'"{name}"' for name, role in truth.columns.items()}

    def number(role: str) -> str:
        bare = f"replace({names[role]}, '{',' if mark == '.' else '.'}', '')"
        return f"replace({bare}, ',', '.')::decimal(18,2)"

    worth = number("total") if "total" in names else f"{number('price')} * {names['quantity']}::int"
    sql = f"select count(distinct {names['order']}), sum({worth}) from read_csv('{path}', delim='{delimiter}', header=true, all_varchar=true)"
    ((orders, money),) = duckdb.sql(sql).fetchall()
    return orders, money


@pytest.mark.parametrize("seed", range(4))
def test_of_opaque_names_nothing_is_mapped_wrongly_and_what_is_needed_is_asked(seed: int, tmp_path: Path) -> None:
    truth = shop(random.Random(seed), "opaque", "iso", ".", of_lines=seed % 2 == 0)
    looked, draft = proposed(save(tmp_path / "file.csv", truth, ";"))
    assert not draft.is_ready
    assert_mapped_right(draft, truth)
    assert "not adopted" in "\n".join(report.of_draft(looked, draft))


def test_days_that_may_be_months_are_asked_and_the_answer_counts(tmp_path: Path) -> None:
    truth = shop(random.Random(5), "english", "day_first", ".", of_lines=False, up_to_day=12)
    path = save(tmp_path / "file.csv", truth, ",")
    looked, draft = proposed(path)
    assert [one.id for one in draft.questions if one.is_needed] == ["at.order"]
    assert "--answer 'at.order=...', one of: day-first, month-first" in "\n".join(report.of_draft(looked, draft))
    looked, draft = proposed(path, {"at.order": "day-first"})
    found = {one["properties"]["order_id"]: one["timestamp"] for one in documents(path, source_of(looked, draft))}  # type: ignore[index]
    assert {order: datetime.fromisoformat(str(at)) for order, at in found.items()} == truth.at


def test_what_nobody_can_tell_is_no_source(tmp_path: Path) -> None:
    head, row = "customer_id,order_id,date,total", "c{n},o{n},2024-01-{n},"
    for name, rows, asked in [
        ("thousands", [f"{row}1.234"], "decimal.total"),
        ("two_totals", [f"{row}12.50,12.50"], "revenue"),
    ]:
        header = head + (",total_price" if name == "two_totals" else "")
        lines = [one.format(n=number) for number in range(10, 25) for one in rows]
        path = tmp_path / f"{name}.csv"
        path.write_text("\n".join([header, *lines, lines[0].replace("o10", "o99").replace("c10", "c11")]))
        _, draft = proposed(path)
        assert not draft.is_ready
        assert asked in {one.id for one in draft.questions if one.is_needed}, name


def test_an_amount_that_cannot_be_read_is_told_and_does_not_make_its_rows_something_else(tmp_path: Path) -> None:
    path = tmp_path / "orders.csv"
    path.write_text(
        "order_id,customer_id,date,total\n"
        + "".join(f"o{n},c{n % 3},2024-01-{n},{('EUR', 'USD')[n % 2]} {n}.50\n" for n in range(10, 25))
    )
    _, draft = proposed(path)
    assert draft.refused is not None
    assert draft.refused.startswith("total: named like an amount")


def test_rows_of_a_product_without_an_order_are_asked_about(tmp_path: Path) -> None:
    path = tmp_path / "sales.csv"
    path.write_text(
        "customer_id,date,sku,amount\n" + "".join(f"c{n % 20},2024-01-15,p{n % 7},{n}.25\n" for n in range(60))
    )
    _, draft = proposed(path)
    assert [one.id for one in draft.questions if one.is_needed] == ["rows"]
    looked, draft = proposed(path, {"rows": "yes"})
    assert draft.is_ready
    assert sum(map(worth_of, documents(path, source_of(looked, draft)))) == Decimal("1785.00")


def test_a_price_of_a_line_is_told_from_one_of_a_piece_by_lines_of_other_quantities(tmp_path: Path) -> None:
    chance = random.Random(7)
    for name, times in (("line", True), ("piece", False)):
        rows = []
        for n in range(300):
            product, pieces = chance.randrange(8), chance.randint(1, 4)
            worth = Decimal(product + 1) * (pieces if times else 1)
            rows.append(f"o{n // 3},c{n // 3 % 20},2024-01-15,p{product},{pieces},{worth}.00")
        path = tmp_path / f"{name}.csv"
        path.write_text("\n".join(["basket_id,household_id,date,product_id,quantity,sales_value", *rows]))
        looked, draft = proposed(path)
        if times:
            assert draft.is_ready
            expected = sum(Decimal(row.rpartition(",")[2]) for row in rows)
            assert (
                sum(map(worth_of, documents(path, source_of(looked, draft)))) == expected == report.money(looked, draft)
            )
        else:
            assert "revenue.of" in {one.id for one in draft.questions if one.is_needed}


def test_a_file_of_people_needs_a_day_unless_its_rows_have_one(tmp_path: Path) -> None:
    path = tmp_path / "people.csv"
    people = "\n".join(f"{n};Ann{n};Lee;ann{n}@x.example;{'ja' if n % 2 else 'nein'};ring" for n in range(60))
    path.write_text("Kundennummer;Vorname;Nachname;Mail;Newsletter;Klingel\n" + people)
    _, draft = proposed(path)
    assert draft.kind == "people"
    assert [one.id for one in draft.questions if one.is_needed] == ["as_of"]
    looked, draft = proposed(path, {"as_of": "2024-05-06"})
    first = documents(path, source_of(looked, draft))[1]
    assert (first["type"], first["userId"], first["timestamp"]) == ("identify", "1", "2024-05-06T00:00:00Z")
    assert first["traits"] == {"email": "ann1@x.example", "first_name": "Ann1", "last_name": "Lee", "klingel": "ring"}
    assert first["context"]["consent"] == {"categoryPreferences": {"marketing": "ja"}}  # type: ignore[index]


def test_columns_by_blanks_and_files_without_a_header_are_told(tmp_path: Path) -> None:
    path = tmp_path / "cdnow.txt"
    path.write_text(
        " customer_id  date  number_of_cds  dollar_value \n"
        + "".join(f" {n % 7:05}  199702{n}   2   {n}.50 \r\n" for n in range(10, 29))
    )
    looked, draft = proposed(path)
    assert looked.layout.declared == {"delimiter": " "}
    assert draft.is_ready
    found = documents(path, source_of(looked, draft))
    assert len({one["properties"]["order_id"] for one in found}) == len(found) == 19  # type: ignore[index]
    assert sum(map(worth_of, found)) == report.money(looked, draft) == Decimal("370.50")
    path.write_text("".join(f"ann{n}@x.example;Ann;{n}\n" for n in range(9)))
    looked, draft = proposed(path)
    assert list(looked.table.columns) == ["column_1", "column_2", "column_3"]
    assert "@" not in "\n".join(report.of_draft(looked, draft))


def test_parquet_of_lines_is_grouped_as_a_table_of_text_is(tmp_path: Path) -> None:
    truth = shop(random.Random(3), "english", "iso", ".", of_lines=True)
    path = tmp_path / "lines.parquet"
    rows = [
        {
            **row,
            "quantity": int(row["quantity"]),
            "unit_price": float(row["unit_price"].replace(",", "")),
            "order_date": moment,
        }
        for row in truth.rows
        for moment in [datetime.fromisoformat(row["order_date"])]
    ]
    pq.write_table(pa.Table.from_pylist(rows), path)
    looked, draft = proposed(path)
    found = {one["properties"]["order_id"]: worth_of(one) for one in documents(path, source_of(looked, draft))}  # type: ignore[index]
    assert found == truth.worth


def test_a_header_in_the_middle_mixed_encodings_and_ten_thousand_columns(tmp_path: Path) -> None:
    path = tmp_path / "pasted.csv"
    rows = [f"o{n},c{n % 4},2024-01-{n},{n}.50,Größe" for n in range(10, 28)]
    head = "order_id,customer_id,date,total,remark"
    turned = "total,customer_id,date,order_id,remark"
    again = [
        ",".join((row.split(",")[3], *row.split(",")[1:3], "x" + row.split(",")[0], row.split(",")[4])) for row in rows
    ]
    path.write_bytes("\n".join([head, *rows]).encode() + "\n".join(["", turned, *again]).encode("cp1252"))
    looked, draft = proposed(path)
    assert draft.is_ready
    mapped = [one for one in documents(path, source_of(looked, draft)) if one]
    assert sum(map(worth_of, mapped)) == 2 * sum(Decimal(f"{n}.50") for n in range(10, 28))
    assert {one["properties"]["remark"] for one in mapped} == {"Größe"}  # type: ignore[index]
    names = [f"extra {n}" for n in range(10_000)]
    path.write_text("\n".join([",".join((head, *names))] + [row + ",1" * 10_000 for row in rows[:6]]))
    looked, draft = proposed(path)
    assert draft.is_ready
    assert sum(map(source_of(looked, draft).mapping.reads, looked.table.columns)) == 300
    assert "and 9,885 more" in "\n".join(report.of_draft(looked, draft))


def test_rows_of_one_order_that_are_apart_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "apart.csv"
    path.write_text(
        "order_id,customer_id,date,sku,price\n" + "".join(f"o{n % 5},c,2024-01-15,p{n},1.50\n" for n in range(20))
    )
    _, draft = proposed(path)
    assert draft.refused is not None
    assert "Sort the file" in draft.refused


def test_a_property_is_not_taken_for_what_the_parse_looks_for(tmp_path: Path) -> None:
    path = tmp_path / "events.csv"
    path.write_text(
        "customer_id,time,event,campaign_id,page,channel\n"
        + "".join(f"c{n % 5},2024-01-15,Seen,s{n},p{n},x\n" for n in range(20))
    )
    looked, draft = proposed(path)
    assert documents(path, source_of(looked, draft))[0]["properties"] == {
        "campaign_id": "s0",
        "page": "p0",
        "sent_channel": "x",
    }


def test_a_shipped_source_that_reads_a_file_is_used_and_a_copy_is_named(tmp_path: Path) -> None:
    path = SAMPLES / "shopify-orders.csv"
    (looked,) = look([path], {}, CONFIG)
    found = known(looked, declared_sources(SOURCES, CONFIG), NOW)
    assert found is not None
    assert found.source.name == "shopify-orders-csv"
    copy = tmp_path / "export-2.csv"
    copy.write_bytes(path.read_bytes())
    assert apart([path, copy]) == {path: None, copy: path}


def test_a_second_file_of_the_same_columns_is_read_by_the_first_ones_source(tmp_path: Path) -> None:
    truth = shop(random.Random(9), "english", "iso", ".", of_lines=False)
    looked, draft = proposed(save(tmp_path / "orders.csv", truth, ","))
    folder = tmp_path / "sources"
    folder.mkdir()
    (folder / "orders.yaml").write_text(declared.text(draft, looked.layout.declared, ["orders.csv"]))
    for row in truth.rows:
        row["order_date"] = (datetime.fromisoformat(row["order_date"]) + timedelta(days=1)).strftime(
            "%Y-%m-%dT%H:%M:%SZ"
        )
    (again,) = look([save(tmp_path / "other.csv", truth, ";", "utf-16")], {}, CONFIG)
    found = known(again, declared_sources(folder, CONFIG), NOW)
    assert found is not None
    assert found.source.name == "orders"


def test_an_amount_that_is_the_same_in_too_few_orders_is_asked_about(tmp_path: Path) -> None:
    path = tmp_path / "lines.csv"
    rows = [f"o{n},c{n % 20},2024-01-15,p{n},{n}.50" for n in range(40)]
    path.write_text("\n".join(["order_id,customer_id,date,product_id,amount", *rows, "o39,c19,2024-01-15,p7,39.50"]))
    _, draft = proposed(path)
    assert [one.id for one in draft.questions if one.is_needed] == ["revenue.level"]
    for answer, expected in (("the whole line", Decimal("839.50")), ("the whole order", Decimal("800.00"))):
        looked, draft = proposed(path, {"revenue.level": answer})
        assert sum(map(worth_of, documents(path, source_of(looked, draft)))) == expected


def test_an_amount_somebody_names_is_added_up_where_it_differs_in_an_order(tmp_path: Path) -> None:
    path = tmp_path / "lines.csv"
    path.write_text(
        "order_id,customer_id,date,product_id,x\n"
        + "".join(f"o{n // 2},c{n // 2 % 20},2024-01-15,p{n},{n}.50\n" for n in range(60))
    )
    _, draft = proposed(path)
    assert not draft.is_ready
    looked, draft = proposed(path, {"kind": "orders", "revenue": "x"})
    assert sum(map(worth_of, documents(path, source_of(looked, draft)))) == Decimal("1800.00")


def table(path: Path, head: str, *rows: str) -> Path:
    path.write_text("\n".join([head, *rows]) + "\n", encoding="utf-8")
    return path


def test_amounts_with_the_sign_of_one_currency_are_read_and_say_which_it_is(tmp_path: Path) -> None:
    rows = [f"o{n};c{n % 3};2024-01-{n};1.0{n},50 €" for n in range(10, 25)]
    looked, draft = proposed(table(tmp_path / "orders.csv", "order_id;customer_id;date;total", *rows))
    document = documents(tmp_path / "orders.csv", source_of(looked, draft))[0]
    assert worth_of(document) == Decimal("1010.50")
    assert document["properties"]["currency"] == "EUR"  # type: ignore[index]


def test_a_dollar_may_be_of_several_countries_and_is_asked_about(tmp_path: Path) -> None:
    rows = [f'o{n},c{n % 3},2024-01-{n},"${n},000.50"' for n in range(10, 25)]
    looked, draft = proposed(table(tmp_path / "orders.csv", "order_id,customer_id,date,total", *rows))
    assert "$ may be of several" in next(one.why for one in draft.questions if one.id == "currency")
    assert worth_of(documents(tmp_path / "orders.csv", source_of(looked, draft))[0]) == Decimal("10000.50")


def test_a_remark_in_brackets_makes_no_other_column_of_it(tmp_path: Path) -> None:
    rows = [f"{n},c{n % 3},2024-01-{n} 10:00,{n}.50,complete" for n in range(10, 25)]
    head = "ID,Customer ID,Created date (UTC),Order Total (inc tax),Status"
    looked, draft = proposed(table(tmp_path / "orders.csv", head, *rows))
    document = documents(tmp_path / "orders.csv", source_of(looked, draft))[0]
    assert (document["timestamp"], worth_of(document)) == ("2024-01-10T10:00:00Z", Decimal("10.50"))
    assert "zone" not in draft.asked  # the name says it
    # So that the same order is the same one in the next export, whatever else it says then.
    assert document["properties"]["order_id"] == "10"  # type: ignore[index]
