"""Files nobody described: looked at, a source proposed with its evidence, asked where they do not say, written, and imported.

./spark-submit.sh adopt FILE [FILE ...] [--name NAME] [--answer ID=ANSWER ...] [--no-input] [--import]

Writes conf/sources/<name>.yaml, called like the file or by --name, unless a declared source reads the file already. Whatever the files do
not say is asked, or told where nobody can be asked, and is never guessed. Values are never shown. `--import` goes on with
batch/import_records.py. Ends with one JSON line; exit code 1 when a file was not adopted, or a record would go to quarantine.
"""

import argparse
import subprocess
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import yaml

from lakehouse.adoption import declared, report
from lakehouse.adoption.adopt import Looked, apart, known, look, propose
from lakehouse.adoption.column_names import folded
from lakehouse.adoption.draft import Answers, Draft, Question
from lakehouse.adoption.known_sources import Known, declared_sources
from lakehouse.commands.sources import check_file
from lakehouse.config import PROJECT, Config, load
from lakehouse.config.declarations import refuse, validated
from lakehouse.config.paths import SOURCES
from lakehouse.errors import SourceError
from lakehouse.job import json_line
from lakehouse.sources.declaration import SourceDeclaration, is_name
from lakehouse.sources.source import Source

MOST_CHECKED = 10_000  # records that are mapped to see what becomes of them
Import = Callable[[Sequence[Path], str], int]  # files, source -> exit code
Read = Callable[[str], str]  # a prompt -> what somebody typed


@dataclass(frozen=True, kw_only=True)
class Adopted:
    """files: that were adopted; source: by which; is_sound: whether all that was looked at maps."""

    files: tuple[Path, ...]
    source: Source
    is_sound: bool


def main(argv: Sequence[str]) -> int:
    parser = argparse.ArgumentParser(prog="adopt")
    parser.add_argument("files", nargs="+", type=Path)
    parser.add_argument("--name")
    parser.add_argument("--answer", action="append", default=[], metavar="ID=ANSWER")
    parser.add_argument("--no-input", action="store_true")
    parser.add_argument("--import", action="store_true", dest="is_imported")
    arguments = parser.parse_args(argv)
    is_asking = not arguments.no_input and sys.stdin.isatty()
    adopter = Adopter(load(), SOURCES, answers_of(arguments.answer), input if is_asking else None)
    return adopter.run(arguments.files, arguments.name, imported if arguments.is_imported else None)


def answers_of(given: Sequence[str]) -> Answers:
    """Raises SourceError: one is not written as ID=ANSWER."""
    wrong = [one for one in given if not one.partition("=")[2]]
    if wrong:
        raise SourceError(
            f"--answer: got '{wrong[0][:60]}', expected ID=ANSWER, such as zone=Europe/Berlin. Write it so"
        )
    return {id_: answer for id_, _, answer in (one.partition("=") for one in given)}


def imported(files: Sequence[Path], source: str) -> int:
    """The import as anybody would start it: its report and its exit code are those of the job."""
    command = [str(PROJECT / "spark-submit.sh"), "batch/import_records.py", *map(str, files), "--source", source]
    return subprocess.run(command, check=False).returncode


class Adopter:
    """Adopts files into a folder of sources. `read`: asks somebody; None = nobody is there."""

    def __init__(self, config: Config, folder: Path, answers: Answers, read: Read | None) -> None:
        self._config = config
        self._folder = folder
        self._answers = answers
        self._read = read
        self._asked: set[str] = set()

    def run(self, files: Sequence[Path], name: str | None, import_: Import | None) -> int:
        """Print what became of every file; the exit code."""
        if name is not None and not is_name(name):
            raise SourceError(f"--name: got '{name[:60]}', expected small letters, digits, _ and -. Name it so")
        own = apart([file.absolute() for file in files])
        for file, first in own.items():
            if first is not None:
                print(f"{file.name}: the same bytes as {first.name}, and left out\n")
        looks = list(look([file for file, first in own.items() if first is None], self._answers, self._config))
        if name is not None and len(looks) > 1:
            raise SourceError("--name: got one name, expected one for each kind of file. Adopt one kind at a time")
        kinds = [(looked, self._found(looked, name)) for looked in looks]
        self._refuse_unasked([found for _, found in kinds])
        adopted: list[Adopted] = []
        for looked, found in kinds:
            if (source := self._adopt(looked, found)) is not None:
                adopted.append(source)
            print()
        codes = [import_(one.files, one.source.name) for one in adopted] if import_ is not None else []
        told = {
            "adopted": [one.source.name for one in adopted],
            "not_adopted": len(kinds) - len(adopted),
            "imported": codes.count(0),
        }
        print(json_line({"command": "adopt", **told}))
        is_sound = len(adopted) == len(kinds) and all(one.is_sound for one in adopted)
        return max(codes, default=0) or (0 if is_sound else 1)

    def _found(self, looked: Looked, name: str | None) -> Known | Draft:
        """The source that reads the files already, or what is proposed for them."""
        now = datetime.now(UTC)
        reads = known(looked, declared_sources(self._folder, self._config), now)
        if reads is not None:
            return reads
        title = name or folded(looked.files[0].name.partition(".")[0]).replace("_", "-") or "files"
        self._asked.clear()  # an answer that is typed is of this kind of file
        return propose(looked, title, self._answers, self._config, self._ask, now)

    def _refuse_unasked(self, found: Sequence[Known | Draft]) -> None:
        """An answer that is called wrong would leave its question to what is assumed. What files asked that a source reads by now is over."""
        drafts = [one for one in found if isinstance(one, Draft)]
        asked = {id_ for draft in drafts for id_ in draft.asked}
        unasked = [id_ for id_ in self._answers if id_ not in asked]
        if unasked and len(drafts) == len(found):
            raise SourceError(
                f"--answer: got '{unasked[0][:60]}', which nothing asks, expected one of {', '.join(sorted(asked)) or 'none'}. Write it so, or leave it out"
            )

    def _adopt(self, looked: Looked, found: Known | Draft) -> Adopted | None:
        if not isinstance(found, Draft):
            print("\n".join(report.of_known(looked, found)))
            return self._checked(looked, found.source)
        print("\n".join(report.of_draft(looked, found)))
        if not found.is_ready or not self._is_in_range(found):
            return None
        source = self._written(looked, found, found.facts.title)
        return None if source is None else self._checked(looked, source)

    def _written(self, looked: Looked, draft: Draft, name: str) -> Source | None:
        text = declared.text(draft, looked.layout.declared, [file.name for file in looked.files])
        faults: list[str] = []
        checked = validated(yaml.safe_load(text), SourceDeclaration, f"{name}.yaml", faults)
        refuse(faults)
        assert checked is not None
        source = Source.declared(name, checked, self._config)
        path = self._folder / f"{name}.yaml"
        if path.exists():
            print(
                f"\nnot adopted: {path} is there already, and does not read these files. Name the source with --name, or delete that file"
            )
            return None
        path.write_text(text, encoding="utf-8")
        print(f"\nwritten: {path}")
        return source

    def _checked(self, looked: Looked, source: Source) -> Adopted:
        """What becomes of the first records of every file, as `sources check` tells it."""
        codes = []
        for file in looked.files:
            print()
            codes.append(check_file(source, file, MOST_CHECKED))
        return Adopted(files=looked.files, source=source, is_sound=not any(codes))

    def _is_in_range(self, draft: Draft) -> bool:
        """Times before events.oldest would all be rejected, and a stream would have to be told, too."""
        oldest = datetime.fromisoformat(self._config.events.oldest).replace(tzinfo=UTC)
        for field in draft.fields.values():
            times = field.column.times
            if (
                field.goes_to == "time"
                and times is not None
                and times.first is not None
                and times.first.replace(tzinfo=UTC) < oldest
            ):
                day = f"{times.first:%Y-%m-%d}"
                print(
                    f"\nnot adopted: {field.column.name} goes back to {day}, before events.oldest ({self._config.events.oldest}): such events are rejected."
                )
                print(
                    f"  If these times are right: export STITCHLAKE__EVENTS__OLDEST={day}, for this command and for whatever runs on the lake"
                )
                return False
        return True

    def _ask(self, draft: Draft) -> Answers:
        """Each question once; an empty line leaves it open."""
        if self._read is None:
            return {}
        for question in draft.questions:
            if question.id not in self._asked:
                self._asked.add(question.id)
                if answer := self._answer(question):
                    return {question.id: answer}
        return {}

    def _answer(self, question: Question) -> str:
        assert self._read is not None
        print(f"\n{question.text}\n  {question.why}")
        for number, choice in enumerate(question.choices, start=1):
            print(f"  {number}  {choice}")
        typed = self._read(
            f"  {'number' if question.choices else question.expected}, or nothing to leave it open: "
        ).strip()
        if typed.isdecimal() and 0 < int(typed) <= len(question.choices):
            return question.choices[int(typed) - 1]
        return typed if not question.choices or typed in question.choices else ""
