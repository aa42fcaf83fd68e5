"""README.md and docs/ as tests read them: pages, their text, their fenced examples."""

import re
from dataclasses import dataclass
from pathlib import Path

from lakehouse.config import PROJECT

GENERATED = ("docs/tables.md", "docs/configuration.md")
PAGES = ("README.md", *sorted(str(path.relative_to(PROJECT)) for path in (PROJECT / "docs").rglob("*.md")))
WRITTEN = tuple(page for page in PAGES if page not in GENERATED)
_FENCE = re.compile(r"^```(?P<language>\S*)\n(?P<code>.*?)^```$", re.MULTILINE | re.DOTALL)


@dataclass(frozen=True)
class Example:
    """A fenced block of a page. `number`: its place among the page's blocks, from 1."""

    page: str
    number: int
    language: str
    code: str

    def __str__(self) -> str:
        return f"{self.page}:{self.number}"


def text(page: str) -> str:
    return (PROJECT / page).read_text(encoding="utf-8")


def prose(page: str) -> str:
    """The page without its fenced blocks."""
    return _FENCE.sub("", text(page))


def examples(*languages: str) -> list[Example]:
    """Every fenced block of every page in one of the languages; of all languages when none is named."""
    blocks = [
        Example(page, number, found["language"], found["code"])
        for page in PAGES
        for number, found in enumerate(_FENCE.finditer(text(page)), start=1)
    ]
    return [block for block in blocks if not languages or block.language in languages]


def anchors(path: Path) -> set[str]:
    """What a link may name within a page: its headings, as GitHub spells them."""
    headings = re.findall(r"^#+ (.+)$", path.read_text(encoding="utf-8"), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}
