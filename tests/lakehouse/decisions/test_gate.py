"""What leaves has passed the gate: nothing else makes the type that every exit takes."""

import copy
import pickle
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any, get_args, get_origin, get_type_hints

import pytest

from lakehouse.actions.mail import MailSender
from lakehouse.actions.performers import Perform, Send
from lakehouse.actions.webhook import WebhookSender
from lakehouse.actions.worker import Worker
from lakehouse.config.limits import PURPOSES
from lakehouse.decisions.decide import Ranked
from lakehouse.decisions.gate import Permitted, Refused, permit, silence_of
from lakehouse.experiments.definitions import Arm
from serving.state.sockets import Sockets
from tests.lakehouse.decisions.circumstances import circumstances, passed
from tests.purity import PROJECT

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
QUIET, POPULAR = Arm(name="a", offers="none"), Arm(name="a", recommendations="popularity")
SILENT: dict[str, tuple[dict[str, Any], set[str]]] = {
    "nothing": ({}, set()),
    "suppressed": ({"is_suppressed": True}, {"offer", "products", "profile"}),
    "held out": ({"held_out": "holdout"}, {"offer", "products", "profile"}),
    "an arm without offers": ({"arms": {"quiet": QUIET}}, {"offer"}),
    "an arm of what everybody likes": ({"arms": {"quiet": POPULAR}}, {"products"}),
    "not looked up": ({"missing": ("online store: too slow",)}, {"offer", "products", "profile"}),
}


@pytest.mark.parametrize("name", SILENT)
def test_each_use_is_silent_for_its_own_reasons_and_all_for_the_common_ones(name: str) -> None:
    changes, silent = SILENT[name]
    here = circumstances(now=NOW, **changes)
    assert {use for use in ("offer", "products", "profile") if silence_of(here, use)} == silent  # type: ignore[arg-type]


@pytest.mark.parametrize("purpose", PURPOSES)
def test_a_purpose_passes_only_by_its_own_consent(purpose: Any) -> None:
    for allowed in PURPOSES:
        found = permit("it", circumstances(now=NOW, consent={one: one == allowed for one in PURPOSES}), purpose)
        assert isinstance(found, Permitted if allowed == purpose else Refused)
    assert permit("it", circumstances(now=NOW, consent={}), purpose) == Refused(f"no consent to {purpose}")


def test_nothing_else_makes_or_changes_what_passed() -> None:
    one = passed("it")
    with pytest.raises(TypeError, match="the gate"):
        Permitted("it", one.circumstances, "marketing", object())  # type: ignore[arg-type]
    for name in ("what", "circumstances", "purpose", "more"):
        with pytest.raises(AttributeError):
            setattr(one, name, "other")
    with pytest.raises((TypeError, AttributeError)):
        copy.replace(one, what="other")  # type: ignore[type-var]
    with pytest.raises((TypeError, AttributeError, pickle.PicklingError)):
        pickle.loads(pickle.dumps(one))
    form = one.put_as(b"it")
    assert (form.what, form.purpose, form.circumstances) == (b"it", one.purpose, one.circumstances)


def test_the_seal_is_in_the_gate_alone() -> None:
    files = [path for folder in ("lakehouse", "serving") for path in (PROJECT / folder).rglob("*.py")]
    sealed = [path.name for path in files if "_SEAL" in path.read_text(encoding="utf-8")]
    assert sealed == ["gate.py"]


EXITS: dict[str, Callable[[], Any]] = {
    "an offer of an answer": lambda: get_type_hints(Ranked)["permitted"],
    "a push": lambda: get_type_hints(Sockets.push)["message"],
    "a call": lambda: get_type_hints(WebhookSender.send)["body"],
    "a letter": lambda: get_type_hints(MailSender.send)["letter"],
    "whatever a destination does": lambda: get_args(get_type_hints(Worker)["perform"])[0][0],
    "each kind of destination": lambda: get_args(Perform)[0][0],
    "a record": lambda: get_args(Send)[0][0],
}


@pytest.mark.parametrize("name", EXITS)
def test_an_exit_takes_nothing_but_what_passed(name: str) -> None:
    assert get_origin(EXITS[name]()) is Permitted
