"""A proposal while it is made: the fields of the source with their evidence, what stays open, and what becomes of every column."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from lakehouse.adoption.co_occurrence import CoOccurrence
from lakehouse.adoption.column_names import folded, rank
from lakehouse.adoption.table import Column, Table
from lakehouse.config import Config
from lakehouse.errors import RuleError, SourceError
from lakehouse.rules.parse import parse
from lakehouse.rules.vocabulary import Term, Type

NONE = "none"  # the answer that leaves something out
Answers = Mapping[str, str]


@dataclass(frozen=True, kw_only=True)
class Question:
    """What the files do not say. id: how an answer names it. choices: what may be answered; empty = any text that `expected` describes.

    is_needed: without an answer there is no source. Else what it is about is left out, and said.
    """

    id: str
    text: str
    why: str
    choices: tuple[str, ...] = ()
    expected: str = ""
    is_needed: bool = False


@dataclass(frozen=True, kw_only=True)
class Field:
    """One field of the source. column: where it comes from; goes_to: what of the event it becomes; evidence: why."""

    name: str
    column: Column
    goes_to: str
    evidence: str
    declared: Mapping[str, Any]


@dataclass(frozen=True, kw_only=True)
class Facts:
    """What is known of the files, and who asks. title: the name of the source. answers: by the id of a question."""

    table: Table
    together: CoOccurrence
    title: str
    answers: Answers
    config: Config


@dataclass
class Draft:
    """kind, kind_evidence: what a row is, and why. assumed: what holds where the files say nothing, told each time. refused: why there is no source.

    asked: the ids of all that was asked, whether it was answered or not.
    """

    facts: Facts
    kind: str = ""
    kind_evidence: str = ""
    fields: dict[str, Field] = field(default_factory=dict)
    line_fields: dict[str, Field] = field(default_factory=dict)
    sections: dict[str, Any] = field(default_factory=dict)
    questions: list[Question] = field(default_factory=list)
    asked: set[str] = field(default_factory=set)
    assumed: list[str] = field(default_factory=list)
    fates: dict[str, str] = field(default_factory=dict)
    refused: str | None = None

    @property
    def table(self) -> Table:
        return self.facts.table

    @property
    def is_ready(self) -> bool:
        """Whether it makes a source as it stands."""
        return self.refused is None and not any(question.is_needed for question in self.questions)

    def named(self, role: str) -> list[Column]:
        """The filled columns whose name fits a role, best first, none that is used already."""
        fitting = [(found, column) for column in self.free() if (found := rank(role, column.name)) is not None]
        return [column for _, column in sorted(fitting, key=lambda one: one[0])]

    def best(self, role: str) -> list[Column]:
        """Those of the best rank."""
        found = self.named(role)
        return [column for column in found if rank(role, column.name) == rank(role, found[0].name)]

    def free(self) -> list[Column]:
        used = {one.column.place for one in (*self.fields.values(), *self.line_fields.values())}
        return [column for place, column in self.table.filled.items() if place not in used]

    def ask(self, question: Question) -> str | None:
        """The answer, or None, and the question stays open.

        Raises:
            SourceError: the answer is none of the choices.
        """
        self.asked.add(question.id)
        answer = self.facts.answers.get(question.id)
        if answer is None:
            if question.id not in {one.id for one in self.questions}:
                self.questions.append(question)
            return None
        if question.choices and answer not in question.choices:
            raise SourceError(
                f"answer '{question.id}': got '{answer[:60]}', expected one of {', '.join(question.choices)}. Answer one of these"
            )
        return answer

    def ask_column(
        self, id_: str, text: str, columns: Sequence[Column], why: str, *, is_needed: bool = False
    ) -> Column | None:
        """The column somebody names; None = none, or no answer."""
        by_name = {column.name: column for column in columns}
        question = Question(id=id_, text=text, why=why, choices=(*by_name, NONE), is_needed=is_needed)
        answer = self.ask(question)
        if answer is None:
            for column in columns:
                self.fates.setdefault(column.place, f"unsure: {id_}")
        return None if answer is None else by_name.get(answer)

    def only_column(
        self, id_: str, text: str, columns: Sequence[Column], why: str, *, is_needed: bool = False
    ) -> Column | None:
        """The one of the columns; of several the one that somebody names; None = none, or no answer."""
        if len(columns) < 2:
            return columns[0] if columns else None
        return self.ask_column(id_, text, columns, why, is_needed=is_needed)

    def add(
        self, name: str, type_: Type, column: Column, goes_to: str, evidence: str, *, in_line: bool = False, **more: Any
    ) -> str:
        """A field that reads the column; its name in expressions."""
        fields = self.line_fields if in_line else self.fields
        name = self.unused(name)
        declared = {
            "type": type_,
            "path": column.place,
            **{key: value for key, value in more.items() if value is not None},
        }
        fields[name] = Field(name=name, column=column, goes_to=goes_to, evidence=evidence, declared=declared)
        return name

    def unused(self, name: str) -> str:
        """The name, or with something behind it where it is taken or a word of the language."""
        wanted = folded(name)[:40].strip("_") or "column"
        wanted = wanted if wanted[0].isalpha() else f"c_{wanted}"
        taken = {*self.fields, *self.line_fields, "record_id"}
        made, number = wanted, 1
        while made in taken or not _is_word(made):
            number += 1
            made = f"{wanted}_{number}"
        return made

    def put(self, section: str, key: str, expression: str) -> None:
        self.sections.setdefault(section, {})[key] = expression


def _is_word(name: str) -> bool:
    try:
        parse(f"{name} IS NULL", {name: Term(name, "text", "record", "")}, ("boolean",))
    except RuleError:
        return False
    return True


def percent(share: float) -> str:
    return f"{100 * share:.4g} %"
