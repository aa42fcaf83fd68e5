"""A draft -> conf/sources/<name>.yaml, with the evidence beside every field."""

from collections.abc import Iterable, Mapping
from typing import Any

import yaml

from lakehouse.adoption.draft import Draft, Field
from lakehouse.sources.record import ROWS

_MAPPINGS = ("identifiers", "guest", "traits", "consent", "properties")


def document(draft: Draft, layout: Mapping[str, Any]) -> dict[str, Any]:
    """The declaration as the loader of sources takes it. `layout`: of `format`, as the files are."""
    made: dict[str, Any] = {"description": _description(draft)}
    group = {"group_by": draft.sections["group"]} if "group" in draft.sections else {}
    if found := {**layout, **group}:
        made["format"] = found
    made["fields"] = {field.name: dict(field.declared) for field in draft.fields.values()}
    for key in ("type", "name", "names", "time", *_MAPPINGS):
        if key in draft.sections:
            made[key] = draft.sections[key]
    if lines := draft.sections.get("lines"):
        fields = {field.name: dict(field.declared) for field in draft.line_fields.values()}
        made["lines"] = {
            "each": ROWS,
            "fields": {**fields, **draft.sections.get("line_extras", {})},
            "properties": lines,
        }
    return made


def text(draft: Draft, layout: Mapping[str, Any], files: Iterable[str]) -> str:
    """The same as YAML that a person may go on with."""
    made = document(draft, layout)
    evidence = {field.name: field for field in (*draft.fields.values(), *draft.line_fields.values())}
    lines = [f"# Proposed by `adopt` for {_plain(', '.join(files))}: read it before you rely on it."]
    lines += [f"# A row is one of {draft.kind}: {_plain(draft.kind_evidence)}."]
    lines += [f"# Assumed: {_plain(told)}." for told in draft.assumed]
    lines += [f"# Open: {_plain(question.text)} ({_plain(question.why)})" for question in draft.questions]
    for key, value in made.items():
        lines.append("")
        if key == "fields":
            lines += ["fields:", *(f"  {_entry(name, declared, evidence)}" for name, declared in value.items())]
        elif key == "lines":
            lines += ["lines:", f"  each: {_scalar(value['each'])}", "  fields:"]
            lines += [f"    {_entry(name, declared, evidence)}" for name, declared in value["fields"].items()]
            lines += [
                "  properties:",
                *(f"    {_scalar(name)}: {_scalar(said)}" for name, said in value["properties"].items()),
            ]
        elif isinstance(value, dict):
            lines += [f"{key}:", *(f"  {_scalar(name)}: {_scalar(said)}" for name, said in value.items())]
        else:
            lines.append(f"{key}: {_scalar(value)}")
    return "\n".join(lines) + "\n"


def _description(draft: Draft) -> str:
    return f"{draft.facts.title}: {draft.kind}, adopted"


def _entry(name: str, declared: Mapping[str, Any], evidence: Mapping[str, Field]) -> str:
    said = ", ".join(f"{key}: {_scalar(value)}" for key, value in declared.items())
    field = evidence.get(name)
    why = "" if field is None or not field.evidence else f"   # {_plain(field.evidence)}"
    return f"{name}: {{{said}}}{why}"


def _scalar(value: Any) -> str:
    """On one line, in quotes where YAML would read it otherwise, and inside of braces, too."""
    if isinstance(value, list | tuple):
        return f"[{', '.join(map(_scalar, value))}]"
    return yaml.safe_dump([value], default_flow_style=True, allow_unicode=True, width=1_000_000).strip()[1:-1]


def _plain(said: str) -> str:
    """In a comment, whose line nothing may end."""
    return "".join(one if one.isprintable() else " " for one in said)
