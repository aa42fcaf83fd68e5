"""`model list|show|promote|rollback`: the models of the registry, which of them speaks, and which one shall."""

import argparse
import json
from collections.abc import Sequence
from datetime import date
from pathlib import Path

from lakehouse import machine
from lakehouse.config import Config, load
from lakehouse.errors import ModelError
from lakehouse.features.point_in_time import FEATURES
from lakehouse.lake import delta_rs
from lakehouse.lake.delta import arrow_schema
from lakehouse.models import aliases
from lakehouse.models.aliases import PASSED, Version
from lakehouse.models.model_card import page
from lakehouse.models.publish import feature_schema
from lakehouse.models.registry import CHAMPION, RECOMMENDER
from lakehouse.profiles.declared_scores import SCORES
from lakehouse.profiles.silver.activity_daily import SILVER_ACTIVITY_DAILY

GATED = frozenset(score.model for score in SCORES if score.read_as == "probability")
"""Models that become champion through the gate alone."""


def main(argv: Sequence[str]) -> int:
    """Do what is asked.

    Raises:
        ModelError: no such model or version, or one that may not be champion.
    """
    options = _arguments(argv)
    config = load()
    match options.verb:
        case "list":
            for one in aliases.versions(config, options.model):
                print(_line(one))
        case "show":
            _show(config, options.model, options.version, options.page)
        case "promote":
            promote(config, options.model, options.version, by=options.by, why=options.why)
            _said("promote", options.model, options.version)
        case _:
            _said("rollback", options.model, _rollback(config, options))
    return 0


def promote(config: Config, name: str, version: str, *, by: str, why: str) -> None:
    """Make a version champion that the gate has let through; of a model without a gate, any.

    Raises:
        ModelError: there is no such version; the gate rejected it or never saw it; it reads other features; or its data is too old by now.
    """
    found = aliases.version_of(config, name, version)
    if name in GATED:
        faults = list(_faults(config, found))
        if faults:
            raise ModelError(
                f"model promote: version {version} of {name}: {'; '.join(faults)}. Train again: ./spark-submit.sh ml/train_scores.py; a former champion comes back by "
                "model rollback"
            )
    _point_serving(config, name, version)
    aliases.promote(config, name, version, by=by, why=why)


def _faults(config: Config, found: Version) -> Sequence[str]:
    faults = []
    if found.gate != PASSED:
        faults.append(f"the gate {'rejected it: ' + found.reasons if found.gate else 'has not seen it'}")
    if found.tags.get("feature_schema") != feature_schema(FEATURES):
        faults.append(
            f"schema {found.tags.get('feature_schema')}, expected {feature_schema(FEATURES)}, that of the stream"
        )
    newest, until = newest_day(config), found.settings.get("data_until")
    if newest is not None and until is not None:
        days = (newest - date.fromisoformat(until)).days
        if days > config.gate.max_data_age_days:
            faults.append(
                f"its data ends {days} days before the lake's, expected {config.gate.max_data_age_days} at most"
            )
    return faults


def newest_day(config: Config) -> date | None:
    """The newest day of the lake with an event; None where the lake is not on this machine, or empty."""
    folder = machine.local_folder(config.lake.root)
    path = None if folder is None else folder / SILVER_ACTIVITY_DAILY.name.replace(".", "/")
    if path is None or not (path / "_delta_log").is_dir():
        return None
    found: date | None = delta_rs.newest(str(path), arrow_schema(SILVER_ACTIVITY_DAILY), "activity_date").as_py()
    return found


def _rollback(config: Config, options: argparse.Namespace) -> str:
    version = aliases.rollback(config, options.model, to=options.to, by=options.by, why=options.why)
    _point_serving(config, options.model, version)
    return version


def _point_serving(config: Config, name: str, version: str) -> None:
    """The service reads the recommender from a folder of its own."""
    if name == RECOMMENDER:
        from lakehouse.training.recommender import point_serving

        point_serving(config, version)


def _line(one: Version) -> str:
    metrics = " ".join(
        f"{name.removeprefix('test_')}={one.metrics[name]:.4f}"
        for name in ("test_auc", "test_brier")
        if name in one.metrics
    )
    words = (
        one.model,
        one.number,
        ",".join(one.aliases) or "-",
        one.gate or "-",
        f"{one.registered_at:%Y-%m-%d %H:%M}",
        metrics,
    )
    return "  ".join(f"{word:<{width}}" for word, width in zip(words, (18, 4, 10, 8, 16, 0), strict=True)).rstrip()


def _show(config: Config, name: str, version: str | None, to: Path | None) -> None:
    """Print what is known of a version, and its card; with `to`, write the card as a page."""
    found = aliases.version_of(config, name, version)
    card = aliases.card_of(config, found)
    print(_line(found))
    for told in (found.settings, found.tags, found.metrics):
        for key, value in sorted(told.items()):
            print(f"  {key:<45} {value}")
    if found.reasons:
        print(f"  rejected: {found.reasons}")
    if card is not None:
        print(f"\n{card}", end="")
    if to is not None:
        if card is None:
            raise ModelError(f"model show: version {found.number} of {name} has no card, expected one. Train it again")
        to.write_text(page(card, f"{name} {found.number}"), encoding="utf-8")


def _said(verb: str, name: str, version: str) -> None:
    print(json.dumps({"command": f"model {verb}", "model": name, "champion": version}))


def _arguments(argv: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="model", description=__doc__)
    verbs = parser.add_subparsers(dest="verb", required=True)
    listed = verbs.add_parser("list", help="every version, with its aliases and what the gate said")
    listed.add_argument("model", nargs="?")
    shown = verbs.add_parser("show", help=f"a version, the {CHAMPION} unless told, and its model card")
    shown.add_argument("model")
    shown.add_argument("version", nargs="?")
    shown.add_argument("--page", type=Path, metavar="FILE", help="the card as HTML")
    promoted = verbs.add_parser("promote", help="make champion what the gate has let through")
    promoted.add_argument("model")
    promoted.add_argument("version")
    rolled = verbs.add_parser("rollback", help="make the champion of before champion again")
    rolled.add_argument("model")
    rolled.add_argument("--to", metavar="VERSION", help="an earlier one")
    for each in (promoted, rolled):
        each.add_argument("--by", required=True, metavar="WHO")
        each.add_argument("--why", required=True, metavar="TEXT")
    return parser.parse_args(argv)
