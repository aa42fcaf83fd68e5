"""The generated pages: every table with every column, every key with its default and comment, in cells that hold."""

import dataclasses
import shutil
from pathlib import Path

import pytest

from lakehouse.catalog import TABLES
from lakehouse.commands import reference_pages
from lakehouse.commands.reference_pages import read_sections
from lakehouse.config import PROJECT, load
from lakehouse.tables.contract import KAFKA, Table, optional, required


def table(**rest: object) -> Table:
    columns = (required("a", "string", "an id"), optional("b", "array<int>", "one | other; null = <none>"))
    defaults = {"name": "silver.a", "grain": "one row per a", "key": ("a",), "owner": "a.py", "reads": (KAFKA,)}
    return Table(**(defaults | {"columns": columns} | rest))  # type: ignore[arg-type]


def test_a_table_is_told_with_grain_key_owner_reads_and_columns() -> None:
    page = reference_pages.tables_page({"silver.a": table()})
    assert page.split("<!-- ")[1].split("| table |")[1].splitlines()[2:] == [
        "| [silver.a](#silvera) | a | a | kafka | `a.py` |",
        "",
        "## silver.a",
        "",
        "One row per a.",
        "",
        "- key: `a`",
        "- written by: `a.py`",
        "- reads: `kafka`",
        "",
        "| column | type | null | meaning |",
        "|---|---|---|---|",
        "| `a` | `string` | no | an id |",
        r"| `b` | `array<int>` | yes | one \| other; null = \<none> |",
    ]


def test_a_table_that_reads_none_says_so() -> None:
    assert "- reads: no table\n" in reference_pages.tables_page({"silver.a": table(reads=())})


def test_every_column_of_every_table_is_there() -> None:
    page = reference_pages.tables_page()
    for contract in TABLES.values():
        section = page.split(f"\n## {contract.name}\n")[1].split("\n## ")[0]
        names = [line.split("`")[1] for line in section.splitlines() if line.startswith("| `")]
        assert names == contract.column_names


def test_a_key_has_its_value_and_the_comment_beside_it() -> None:
    (section,) = read_sections('[a.b] # what it is for\nkey = "x#y" # unit; effect # and more\nnone = 7\n')
    assert (section.name, section.comment) == ("a.b", "what it is for")
    assert [(key.name, key.value, key.comment) for key in section.keys] == [
        ("key", "x#y", "unit; effect # and more"),
        ("none", 7, ""),
    ]


def test_a_list_over_lines_is_one_key_with_the_comment_of_its_first_line() -> None:
    text = "[a]\nvalues = [ # of any kind\n  # the first\n  'b = 1', '#c',\n]\nnext = true # after it\n"
    (section,) = read_sections(text)
    assert [(key.name, key.value, key.comment) for key in section.keys] == [
        ("values", ["b = 1", "#c"], "of any kind"),
        ("next", True, "after it"),
    ]


def test_a_key_of_an_identifier_type_has_the_comment_that_holds_for_all_types() -> None:
    text = "#   limit   how many\n[identity.email]\nlimit = 5\npriority = 2 # its own\n[other]\nlimit = 1\n"
    sections = read_sections(text)
    assert [(key.name, key.comment) for section in sections for key in section.keys] == [
        ("limit", "how many"),
        ("priority", "its own"),
        ("limit", ""),
    ]


def test_the_reference_files_are_read_as_the_configuration_reads_them() -> None:
    config = load("dev", environ={})
    for key in (key for section in read_sections((PROJECT / "conf/base.toml").read_text()) for key in section.keys):
        if "." not in key.section and key.section not in ("serving", "lake", "mail"):  # which dev overlays
            value = getattr(getattr(config, key.section), key.name)
            assert (list(value) if isinstance(value, tuple) else value) == key.value, f"{key.section}.{key.name}"


def test_every_key_of_the_configuration_is_on_its_page() -> None:
    page = reference_pages.configuration_page(PROJECT / "conf")
    config = load("dev", environ={})
    for section in dataclasses.fields(config):
        if section.name in ("money", "identity"):  # whose keys are the user's
            continue
        text = page.split(f"\n### [{section.name}]\n")[1].split("\n### ")[0]
        for key in dataclasses.fields(getattr(config, section.name)):
            is_section = key.name in (
                "traits",
                "names",
                "categories",
                "options",
                "sources",
                "jurisdictions",
                "tcf",
            )  # of names that are the user's
            assert is_section or f"\n| `{key.name}` | " in text, f"{section.name}.{key.name}"
    for type_ in config.identity.rules:
        assert f"\n### [identity.{type_}]\n" in page


@pytest.mark.parametrize("page", [reference_pages.TABLES_PAGE, reference_pages.CONFIGURATION_PAGE])
def test_every_row_of_a_table_has_the_cells_of_its_head(page: str) -> None:
    width = 0
    for line in reference_pages.pages(PROJECT)[page].splitlines():
        if not line.startswith("|"):
            width = 0
            continue
        cells = line.replace("\\|", "").count("|")
        assert cells == (width or cells), line
        width = cells


def test_writing_again_changes_nothing(tmp_path: Path) -> None:
    shutil.copytree(PROJECT / "conf", tmp_path / "conf")
    pages = [reference_pages.TABLES_PAGE, reference_pages.CONFIGURATION_PAGE]
    assert reference_pages.write(tmp_path) == dict.fromkeys(pages, True)
    assert reference_pages.write(tmp_path) == dict.fromkeys(pages, False)
    assert {page: (tmp_path / page).read_text(encoding="utf-8") for page in pages} == reference_pages.pages(PROJECT)
