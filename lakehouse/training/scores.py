"""The scores that are learned from what people did: purchase propensity and churn risk. Each is a model of its own, and passes one gate.

Reads silver.activity_daily, silver.orders and silver.identity_map, of those who may be learned from (consenting.py). The candidates of
lakehouse/models/candidates.py learn from point-in-time features at past instants, over splits in time with an embargo between their slices
(lakehouse/models/examples.py). What is chosen and judged on each (lakehouse/models/judgement.py) is fitted once more on all cut-offs, registered as
challenger, and made champion if the gate (lakehouse/models/gate.py) lets it through. Its verdict is a row of ops.model_verdicts.
"""

import functools
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import date

from lakehouse.config import ScoresConfig
from lakehouse.errors import ModelError
from lakehouse.lake.delta import Lake
from lakehouse.models.candidates import SETTINGS, Setting
from lakehouse.models.examples import Split
from lakehouse.models.gate import Challenger, Check, Reigning, Slice, gate
from lakehouse.models.judgement import baselines, best_baseline, judge, refitted
from lakehouse.models.publish import publish
from lakehouse.models.registry import champion_file
from lakehouse.models.score_model import ScoreModel
from lakehouse.models.selection import Question
from lakehouse.training.score_examples import Read, read_examples
from lakehouse.training.score_targets import PURCHASE, Target
from lakehouse.training.score_version import JUDGED, ScoresSummary, as_trained, importance, report

Reader = Callable[[int], Read]
"""Of a horizon in days, the examples."""
Further = Callable[[ScoreModel, Slice], Sequence[Check]]
"""Checks that a challenger must meet beside those of the gate, of the model as it was judged and the slice it is judged on."""


def reader(lake: Lake) -> Reader:
    """Reads the examples of each horizon once, for scores that are trained one after the other on the same lake."""
    return functools.cache(functools.partial(read_examples, lake))


def no_further_checks(_: ScoreModel, __: Slice) -> Sequence[Check]:
    """Of a training that asks the gate for nothing beside its own checks."""
    return ()


def train(
    lake: Lake,
    target: Target = PURCHASE,
    *,
    read_of: Reader | None = None,
    settings: Sequence[Setting] = SETTINGS,
    further: Further = no_further_checks,
) -> ScoresSummary:
    """Train on the lake as it stands and register; champion only if the gate lets it through. `read_of`: see `reader`. `further`: see Further.

    Raises:
        ModelError: too few profiles, too short a history, or one outcome only in some slice.
    """
    seed = lake.config.scores.seed
    question = target.question(lake.config.scores)
    read = (read_of or reader(lake))(question.horizon_days)
    check(read, question, lake.config.scores)
    judgement = judge(
        read.known,
        read.cut_offs.splits,
        question,
        seed=seed,
        settings=settings,
        trials=lake.config.scores.search_trials,
    )
    newest = newest_slice(read, question)
    verdict = gate(
        Challenger(
            parameters=judgement.newest.model.to_parameters(),
            over_baseline=judgement.gain,
            learned_until=judgement.newest.learned_until,
            data_until=read.newest_day,
            leaking=read.leaking,
        ),
        reigning(lake, target.score.model),
        newest,
        lake.config.gate,
        seed=seed,
        also=further(judgement.newest.model, newest),
    )
    summary = ScoresSummary(
        score=target.score.column,
        version="",
        model=refitted(read.known, read.cut_offs.refit, judgement, question, seed=seed),
        cut_offs=read.cut_offs,
        rows=len(question.asked(read.known.at(*read.cut_offs.refit))),
        judgement=judgement,
        verdict=verdict,
        is_champion=verdict.passes and lake.config.gate.promotes,
        importance=importance(judgement, question, read),
    )
    version = publish(lake.config, as_trained(lake, summary, target, read), is_champion=summary.is_champion)
    summary = replace(summary, version=version, model=replace(summary.model, version=version))
    report(lake, summary, target, read)
    return summary


def newest_slice(read: Read, question: Question) -> Slice:
    """What champion and challenger are held to each other on."""
    split = read.cut_offs.splits[0]
    asked = question.asked(read.known)
    before, test = asked.at(split.train[0]), asked.at(split.test)
    told, label = baselines(before, question.label(before), test), question.label(test)
    return Slice(
        known=test,
        label=label,
        baseline=told[best_baseline(told, label)],
        day=split.test,
        newest_day=read.newest_day,
    )


def reigning(lake: Lake, name: str) -> Reigning | None:
    """The champion, as it was judged; None where there is none, or one that reads other features or is of a release before.

    Raises:
        ModelError: the lake is remote and no tracking URI is set.
    """
    stored = champion_file(lake.config, name, JUDGED)
    if stored is None:
        return None
    version, _, content = stored
    try:
        told = json.loads(content)
        return Reigning(
            version=version,
            model=ScoreModel.from_parameters(told["parameters"], version),
            learned_until=date.fromisoformat(told["learned_until"]),
            trained_on=date.fromisoformat(told["data_until"]),
        )
    except (ModelError, ValueError, KeyError, TypeError):
        return None


def check(read: Read, question: Question, settings: ScoresConfig) -> None:
    """Raises ModelError: fewer than scores.min_profiles rows as time passes to learn from on some split, or one outcome only in some slice."""
    known = question.asked(read.known)
    counted = known.where(~known.is_touch)
    least = min(len(counted.at(*split.train)) for split in read.cut_offs.splits)
    if least < settings.min_profiles:
        raise ModelError(
            f"train_scores: too few training rows, got {least}, expected scores.min_profiles = "
            f"{settings.min_profiles} or more. Run again when more profiles have come in"
        )
    for split in read.cut_offs.splits:
        for name, days in _slices(split).items():
            label = question.label(known.at(*days))
            if not 0 < label.sum() < len(label):
                raise ModelError(
                    f"train_scores: one outcome only in the {name} slice of {days[0]}, got {label.sum():.0f} of {len(label)} rows, "
                    "expected some and not all. Run again when more orders have come in"
                )


def _slices(split: Split) -> Mapping[str, tuple[date, ...]]:
    return {"newest train": split.train[:1], "train": split.train, "test": (split.test,)}
