"""The model card of a score: what it is for, what it was made of, how good it is and what became of it. Markdown, and the same as a page.

After Mitchell et al. (2019), Model cards for model reporting.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from html import escape

from lakehouse.models.gate import Verdict
from lakehouse.models.judgement import SELECTED, Judgement
from lakehouse.models.score_model import BUYERS, ScoreModel

_PAGE = """<!doctype html>
<html lang="en"><meta charset="utf-8"><title>{title}</title>
<style>body{{font:16px/1.5 system-ui,sans-serif;max-width:60rem;margin:2rem auto;padding:0 1rem}}
table{{border-collapse:collapse;display:block;overflow-x:auto}}td,th{{border-bottom:1px solid #ccc;padding:.3rem .8rem;text-align:left}}</style>
<body>
{body}
</body></html>
"""


@dataclass(frozen=True, kw_only=True)
class Provenance:
    """What a model was made of, and goes by. versions: Delta version by table. importance: mean absolute Shapley value of each feature, of log-odds."""

    meaning: str
    versions: Mapping[str, int]
    code_version: str
    feature_schema: str
    seed: int
    cut_offs: Sequence[str]
    rows: int
    purpose: str
    importance: Mapping[str, float]


def card(name: str, model: ScoreModel, judgement: Judgement, verdict: Verdict, made: Provenance) -> str:
    """Markdown: headings, paragraphs and tables, and nothing else, see `page`."""
    return "\n\n".join(
        [
            f"# Model card: {name}",
            f"{made.meaning}. Asked of {'profiles with an order' if model.among == BUYERS else 'every profile'}, "
            f"{model.horizon_days} days ahead. Made for ranking and for decisions by expected value in this lake; no decision with legal effect may rest on it.",
            "## Made of",
            _table(
                ["", ""],
                [
                    ["kind", str(judgement.newest.setting)],
                    ["rows it was fitted on", f"{made.rows:,}"],
                    ["cut-offs", ", ".join(made.cut_offs)],
                    ["people", f"those who consented to {made.purpose} and are not to be left alone"],
                    ["data", ", ".join(f"{table} at version {version}" for table, version in made.versions.items())],
                    ["code", made.code_version],
                    ["features", f"{len(model.features)}, schema {made.feature_schema}"],
                    ["seed", str(made.seed)],
                ],
            ),
            "## How good",
            f"On {len(judgement.chosen)} test slices of later time together, with 95 % intervals over people. `{SELECTED}` is what the training would have chosen "
            "on each. The figures are of models that had not seen the slice; the model that is registered was fitted afterwards, in the same way, on all cut-offs, and "
            "nothing is left to judge it by.",
            _metrics(judgement),
            "## Does it keep its word",
            _reliability(judgement),
            "## What it goes by",
            "How far each feature moves the log-odds of a row from those of a usual one: the mean absolute Shapley value, over rows of the newest test slice, "
            "which the model has not seen. It says what the model goes by, and nothing of causes.",
            _table(
                ["feature", "log-odds"],
                [[name, f"{moves:.3f}"] for name, moves in sorted(made.importance.items(), key=lambda one: -one[1])],
            ),
            "## The gate",
            "It passed." if verdict.passes else "It was rejected.",
            _table(["check", "met", "found"], [[c.name, "yes" if c.is_met else "no", c.said] for c in verdict.checks]),
            "## Limits",
            "Features know a day as a whole; a touch in the middle of a day is judged as of the last event of that day. Whom consent leaves out is scored and not learned "
            "from. The share by recency is a hard baseline: see how far the model is above it.",
        ]
    ) + "\n"  # fmt: skip


def _metrics(judgement: Judgement) -> str:
    names = list(next(iter(judgement.metrics.values())))
    rows = [[who, *(str(of_one[name]) for name in names)] for who, of_one in judgement.metrics.items()]
    return _table(["", *names], rows)


def _reliability(judgement: Judgement) -> str:
    told = (("all", judgement.reliability), ("as time passes", judgement.at_pass), ("at a touch", judgement.at_touch))
    rows = [
        [name, f"{one.count:,}", f"{one.predicted:.4f}", f"{one.observed:.4f}"] for name, bins in told for one in bins
    ]
    return _table(["rows", "count", "predicted", "observed"], rows)


def _table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join(
        "| " + " | ".join(cell.replace("|", "/").replace("\n", " ") for cell in line) + " |" for line in lines
    )


def page(card_: str, title: str) -> str:
    """A card as one HTML file."""
    blocks = []
    for block in card_.strip().split("\n\n"):
        level = len(block) - len(block.lstrip("#"))
        if level:
            blocks.append(f"<h{level}>{escape(block[level:].strip())}</h{level}>")
        elif block.startswith("|"):
            blocks.append(_html_table(block))
        else:
            blocks.append(f"<p>{escape(block)}</p>")
    return _PAGE.format(title=escape(title), body="\n".join(blocks))


def _html_table(block: str) -> str:
    head, _, *rows = ([cell.strip() for cell in line.strip("|").split("|")] for line in block.splitlines())
    of = {"th": [head] if any(head) else [], "td": rows}
    lines = (
        "<tr>" + "".join(f"<{tag}>{escape(cell)}</{tag}>" for cell in line) + "</tr>"
        for tag, found in of.items()
        for line in found
    )
    return f"<table>{''.join(lines)}</table>"
