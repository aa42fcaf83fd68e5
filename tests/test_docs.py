"""README.md and docs/ name nothing that is not there: files, links, tables, settings. Generated pages are what the code gives."""

import ast
import re

import pytest

from lakehouse.catalog import TABLES
from lakehouse.commands import reference_pages
from lakehouse.config import PROJECT, schema
from tests.documents import GENERATED, PAGES, WRITTEN, anchors, examples, prose, text

each_page = pytest.mark.parametrize("page", PAGES)
each_written_page = pytest.mark.parametrize("page", WRITTEN)

LANGUAGES = {"python", "sh", "yaml", "text"}
_PATH = re.compile(
    r"(?<![\w/.>*-])(?:\.\./)*((?:batch|ml|streaming|lakehouse|serving|conf|tests|notebooks|docs)/[\w./*-]*)"
)
_LINK = re.compile(r"\]\(([^)#\s]*)(?:#([^)\s]*))?\)")
_CODE = re.compile(r"`[^`]*`")
_TABLE = re.compile(r"\b(?:bronze|silver|gold)\.[a-z_]+\b")
_SETTING = re.compile(r"`([a-z_]+)\.([a-z_]+)[`\s]")
_VARIABLE = re.compile(r"\bSTITCHLAKE__([A-Z_]+?)__([A-Z_]+)\b")


def _links(page: str) -> list[tuple[str, str]]:
    """Targets and anchors of the page's links; what stands between backticks is none."""
    return _LINK.findall(_CODE.sub("", prose(page)))


@each_page
def test_every_path_it_names_exists(page: str) -> None:
    named = {path.rstrip(".,/") for path in _PATH.findall(text(page))}
    missing = {path for path in named if not any((*PROJECT.glob(path), *PROJECT.glob(f"{path}.py")))}
    assert not missing, f"{page} names what is not there: a file was renamed, or mistyped"


@each_page
def test_every_link_leads_somewhere(page: str) -> None:
    folder = (PROJECT / page).parent
    for target, anchor in _links(page):
        if target.startswith(("http://", "https://")):
            continue
        path = folder / target if target else PROJECT / page
        assert path.is_file(), f"{page}: {target}"
        assert not anchor or anchor in anchors(path), f"{page}: {target}#{anchor}"


def test_every_page_is_linked_from_another() -> None:
    linked = {
        ((PROJECT / page).parent / target).resolve()
        for page in PAGES
        for target, _ in _links(page)
        if target and not target.startswith("http")
    }
    unreachable = [page for page in PAGES if (PROJECT / page).resolve() not in linked and page != "README.md"]
    assert not unreachable


@each_written_page
def test_every_table_it_names_has_a_contract(page: str) -> None:
    assert set(_TABLE.findall(text(page))) <= set(TABLES)


@each_written_page
def test_every_setting_it_names_is_a_key(page: str) -> None:
    spec = schema()
    named = [(section, key) for section, key in _SETTING.findall(text(page)) if section in spec]
    named += [(section.lower(), key.lower().partition("__")[0]) for section, key in _VARIABLE.findall(text(page))]
    assert [f"{section}.{key}" for section, key in named if key not in spec[section]] == []


@each_page
def test_every_example_says_its_language(page: str) -> None:
    assert {example.language for example in examples() if example.page == page} <= LANGUAGES


@pytest.mark.parametrize("page", GENERATED)
def test_a_generated_page_is_what_the_code_gives(page: str) -> None:
    assert text(page) == reference_pages.pages(PROJECT)[page], f"{page} is stale: run ./spark-submit.sh plan --write"


def _walk(number: int) -> list[str]:
    """The files of a walk, in its order."""
    walk = text("docs/architecture.md").split(f"## Walk {number}:")[1].split("\n## ")[0]
    return re.findall(r"`((?:streaming|lakehouse|serving)/[\w/]+\.py)`", walk)


@pytest.mark.parametrize(
    ("number", "first", "last"),
    [
        (1, "streaming/events.py", "lakehouse/maintenance/upkeep.py"),
        (2, "serving/api/hosts.py", "serving/messages/answer_models.py"),
    ],
)
def test_a_walk_names_each_file_once(number: int, first: str, last: str) -> None:
    files = _walk(number)
    assert (files[0], files[-1]) == (first, last)
    assert len(files) >= 25
    assert sorted(files) == sorted(set(files))
    assert [file for file in files if not (PROJECT / file).is_file()] == []


@pytest.mark.parametrize(("number", "start"), [(1, "streaming/events.py"), (2, "serving/__main__.py")])
def test_every_file_of_a_walk_is_in_the_program_that_walks_it(number: int, start: str) -> None:
    assert set(_walk(number)) - _imported_from(start) == set()


def _imported_from(start: str) -> set[str]:
    """The file, and every file of the repository that it imports, directly or not."""
    reached, waiting = set[str](), [start]
    while waiting:
        if (file := waiting.pop()) not in reached:
            reached.add(file)
            waiting += _imports(file)
    return reached


def _imports(file: str) -> list[str]:
    tree = ast.parse((PROJECT / file).read_text(encoding="utf-8"))
    modules = [
        f"{node.module}.{name.name}"
        for node in ast.walk(tree)
        if isinstance(node, ast.ImportFrom)
        for name in node.names
    ]
    modules += [module.rpartition(".")[0] for module in modules]
    files = (f"{module.replace('.', '/')}{end}" for module in modules for end in (".py", "/__init__.py"))
    return [name for name in files if (PROJECT / name).is_file()]


def test_each_decision_has_a_number_of_its_own_and_three_parts() -> None:
    pages = sorted(page for page in PAGES if re.search(r"decisions/\d{4}-", page))
    for number, page in enumerate(pages, start=1):
        assert page.startswith(f"docs/decisions/{number:04d}-")
        assert text(page).startswith(f"# {number}. ")
        assert re.findall(r"^## (.+)$", text(page), re.MULTILINE) == ["Context", "Decision", "Price"], page
