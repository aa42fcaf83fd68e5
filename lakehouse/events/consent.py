"""What an event says of consent: categories as consent tools name them -> our purposes.

Names are mapped by conf/base.toml, [consent.categories], in any spelling. Words and numbers are read as well as booleans; what is neither
a yes nor a no counts as a no. Of several categories of one purpose one no is a no. A refusal of a category that is mapped to nothing
denies every purpose the same message does not allow by name: nobody knows what was refused. Yes to a category that is named by what it
forbids (opt_out, do_not_sell) is such a refusal. Somebody who answered at all was asked: a purpose they said nothing of is not one they
were never asked about, and no more is it where nobody can read the answer.

Read are context.consent.categoryPreferences, Segment's: an object, the same as text, or a list of what is allowed, as OneTrust's active
groups are; context.consentManagement, RudderStack's; context.consent.tcString, of the IAB's TCF (tcf.py), unless its gdprApplies is no; and
context.gpc, Global Privacy Control: it refuses the purposes of consent.gpc, answers nothing else, and grants nothing. Where two of them speak of a
purpose one no is a no. context.consent.jurisdiction and textVersion are kept with what was said.
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import orjson

from lakehouse.config import ConsentConfig
from lakehouse.config.limits import PURPOSES
from lakehouse.events import contracts, ids, tcf
from lakehouse.events.document import is_nested, object_at, says_nothing, text_of
from lakehouse.events.remembered import Remembered

_YES = frozenset(
    (
        *(
            "true",
            "1",
            "yes",
            "y",
            "t",
            "on",
            "ok",
            "granted",
            "grant",
            "given",
            "allowed",
            "allow",
            "accepted",
            "accept",
        ),
        *("agreed", "agree", "consented", "consent given", "enabled", "active", "checked", "subscribed"),
        *(f"{opt}{between}in" for opt in ("opt", "opted") for between in ("", " ", "-", "_")),
        *("ja", "oui", "si", "sí", "sim", "tak", "evet"),
    )
)
_NO = frozenset(("false", "0", "no", "n", "f", "off", "deny", "denied", "declined", "nein", "non"))
_NO_NAMES = _YES | _NO | {"null", "undefined", "all", "none"}
_PLACES = ("consent", "consentManagement", "gpc", "globalPrivacyControl")  # in the context
_SIGNALS = _PLACES[2:]
CATEGORIES, MANAGEMENT, TCF, GPC = "categories", "consent_management", "tcf", "gpc"
# Names in context.consent, without their spelling.
_TC_STRINGS = frozenset(("tcstring", "tcfstring", "tcf", "iabtcftcstring", "euconsentv2"))
_GDPR_APPLIES = frozenset(("gdprapplies", "iabtcfgdprapplies"))
_TEXT_VERSIONS = frozenset(("textversion", "policyversion", "noticeversion"))
_NO_WORDS = _GDPR_APPLIES | _TEXT_VERSIONS | {"jurisdiction"}
_JURISDICTION = re.compile(r"[A-Z]{2}(?:-[A-Z0-9]{1,3})?\Z")
_FORBIDS = re.compile(r"donot|optout|optedout|gpc|globalprivacycontrol|unsubscribe")
_OF_COOKIES = re.compile(r"(?:cookies?|category|consent|purposes?)\Z")


class Answer(NamedTuple):
    """words: category -> what was said of it, as sent; None = nothing. names_all: what is not among them was refused.

    is_read: false where something was said of consent that nobody can read. source: of which tool's shape it is.
    """

    words: Mapping[str, Any]
    names_all: bool = False
    is_read: bool = True
    source: str = CATEGORIES


def answer(context: Mapping[str, Any]) -> Answer | None:
    """What a message says in its context; None = nothing, so that nobody was asked."""
    managed = object_at(context, "consentManagement")
    if managed:
        allowed, denied = (_names(managed.get(name)) or [] for name in ("allowedConsentIds", "deniedConsentIds"))
        if allowed or denied:
            return Answer(dict.fromkeys(allowed, True) | dict.fromkeys(denied, False), source=MANAGEMENT)
    sent = context.get("consent")
    if says_nothing(sent):
        return None
    preferences = _in_json(object_at(context, "consent").get("categoryPreferences"))
    if says_nothing(preferences):
        is_more = not isinstance(sent, dict) or any(
            not says_nothing(value) for name, value in sent.items() if contracts.spelling(name) not in _no_words(sent)
        )
        return Answer({}, is_read=False) if is_more else None
    if isinstance(preferences, dict):
        return Answer(preferences)
    names = None if _is_word(preferences) else _names(preferences)
    return Answer({}, is_read=False) if names is None else Answer(dict.fromkeys(names, True), names_all=True)


def consent(said: Answer, categories: Mapping[str, str], purposes: Sequence[str] = PURPOSES) -> dict[str, bool | None]:
    """Every purpose -> whether it is allowed, None = nothing was said of it. `categories`: of `spelled`."""
    words = [_word(name, word) for name, word in said.words.items() if word is not None]
    found: dict[str, bool | None] = dict.fromkeys(purposes)
    is_any_refused = said.names_all
    for name, is_allowed in words:
        purpose = categories.get(name) or categories.get(_OF_COOKIES.sub("", name))
        if purpose is not None:
            found[purpose] = is_allowed and found[purpose] is not False
        else:
            is_any_refused |= not is_allowed
    return {purpose: allowed or False for purpose, allowed in found.items()} if is_any_refused else found


class Consent(NamedTuple):
    """One word a purpose; None = nothing was said of it."""

    analytics: bool | None
    personalization: bool | None
    marketing: bool | None


class Basis(NamedTuple):
    """source: CATEGORIES, MANAGEMENT, TCF or GPC; of several the first. jurisdiction: ISO 3166; None = not said, or no such code.

    text_version: which texts the person was shown; None = not said. others: words on purposes that are declared besides those of Consent; None = none.
    told_by: program that sent it, where somebody says so.
    """

    source: str
    jurisdiction: str | None
    text_version: str | None
    others: list[dict[str, str | bool]] | None
    told_by: str | None = None


class Heard(NamedTuple):
    """What an event says of consent. is_read: as in Answer."""

    consent: Consent
    is_read: bool
    basis: Basis

    @property
    def words(self) -> dict[str, bool | None]:
        """Of every purpose of which tables have a column, and of others that something was said of."""
        others = {str(one["purpose"]): bool(one["is_allowed"]) for one in self.basis.others or ()}
        return {**self.consent._asdict(), **others}

    @property
    def is_answer(self) -> bool:
        """Whether somebody was asked; a browser that signals a refusal by itself was not."""
        return self.basis.source != GPC


@dataclass(frozen=True, slots=True)
class ConsentRules:
    """The section [consent] as reading needs it. categories: of `spelled`."""

    purposes: tuple[str, ...]
    categories: Mapping[str, str]
    gpc: tuple[str, ...]
    tcf: Mapping[str, tuple[int, ...]]

    @classmethod
    def of(cls, config: ConsentConfig) -> "ConsentRules":
        return cls(config.purposes, spelled(config.categories), config.gpc, config.tcf)


def heard(context: Mapping[str, Any], rules: ConsentRules) -> Heard | None:
    """What a message says in its context; None = nothing, so that nobody was asked."""
    sent = object_at(context, "consent")
    string = _tc_string(sent)
    said = answer(context)
    if string is not None and said is not None and not said.is_read and says_nothing(sent.get("categoryPreferences")):
        said = None  # what stands there is the string
    told: dict[str, dict[str, bool | None]] = {}
    if said is not None:
        told[said.source] = consent(said, rules.categories, rules.purposes)
    if string is not None and (said is None or said.is_read):
        told[TCF] = {purpose: string.allows(needed) for purpose, needed in rules.tcf.items()}
    if any(yes_or_no(context.get(signal)) for signal in _SIGNALS):
        told[GPC] = dict.fromkeys(rules.gpc, False)
    if not told:
        return None
    words = {purpose: _together(one.get(purpose) for one in told.values()) for purpose in rules.purposes}
    others: list[dict[str, str | bool]] = [
        {"purpose": purpose, "is_allowed": word}
        for purpose, word in sorted(words.items())
        if purpose not in PURPOSES and word is not None
    ]
    basis = Basis(
        source=next(iter(told)),
        jurisdiction=_jurisdiction(sent),
        text_version=_named(sent, _TEXT_VERSIONS) or (None if string is None else string.text_version),
        others=others or None,
    )
    return Heard(Consent(*(words[purpose] for purpose in PURPOSES)), said is None or said.is_read, basis)


class ConsentReader:
    """Reads consent by [consent]. The same words come again and again: what they mean is remembered by their JSON. Thread-safe."""

    def __init__(self, config: ConsentConfig) -> None:
        self._rules = ConsentRules.of(config)
        self._known = Remembered(self._heard_in, most=5_000, longest=1_000)

    def column(self, contexts: Sequence[Mapping[str, Any]]) -> list[Heard | None]:
        """Of many events; None = nobody was asked."""
        of_segment, of_rudderstack, *signals = _PLACES
        gpc, control = signals
        said = [(one.get(of_segment), one.get(of_rudderstack), one.get(gpc), one.get(control)) for one in contexts]
        try:
            texts = list(map(orjson.dumps, said))
        except orjson.JSONEncodeError:  # a number of more digits than a machine's
            return list(map(self._heard, said))
        known = self._known
        return [known[text] for text in texts]

    def _heard_in(self, sent: bytes) -> Heard | None:
        return self._heard(orjson.loads(sent))

    def _heard(self, sent: Sequence[Any]) -> Heard | None:
        return heard(dict(zip(_PLACES, sent, strict=True)), self._rules)


def spelled(categories: Mapping[str, str]) -> dict[str, str]:
    """[consent.categories] by what the spellings of a name have in common."""
    return {contracts.spelling(name): purpose for name, purpose in categories.items()}


def yes_or_no(word: object) -> bool | None:
    """What a word, number or boolean says; None = neither. Other things than consent are asked by it, too."""
    said = ids.normalise(text_of(word) or "").lower()
    return True if said in _YES else False if said in _NO else None


def _word(name: str, word: object) -> tuple[str, bool]:
    """The name without its spelling, and whether it is allowed."""
    bare, said = contracts.spelling(name), yes_or_no(word)
    return bare, said is False if _FORBIDS.match(bare) else said is True


def _together(words: Iterable[bool | None]) -> bool | None:
    """Of what several say of one purpose: one no is a no."""
    said = [word for word in words if word is not None]
    return all(said) if said else None


def _tc_string(sent: Mapping[str, Any]) -> tcf.TcString | None:
    """None where there is none that can be read, or where the law it is made for does not apply."""
    text = _named(sent, _TC_STRINGS) if _does_gdpr_apply(sent) else None
    return None if text is None else tcf.decode(text)


def _does_gdpr_apply(sent: Mapping[str, Any]) -> bool:
    """As far as anybody says otherwise."""
    return not any(
        contracts.spelling(name) in _GDPR_APPLIES and yes_or_no(value) is False for name, value in sent.items()
    )


def _no_words(sent: Mapping[str, Any]) -> frozenset[str]:
    """Names, without their spelling, under which nobody is heard."""
    return _NO_WORDS if _does_gdpr_apply(sent) else _NO_WORDS | _TC_STRINGS


def _jurisdiction(sent: Mapping[str, Any]) -> str | None:
    text = (_named(sent, frozenset(("jurisdiction",))) or "").strip().upper()
    return text if _JURISDICTION.match(text) else None


def _named(sent: Mapping[str, Any], names: frozenset[str]) -> str | None:
    """The first text under one of the names, in any spelling."""
    texts = (text_of(value) for name, value in sent.items() if contracts.spelling(name) in names)
    return next(filter(None, texts), None)


def _is_word(sent: Any) -> bool:
    """Whether it is one word for yes, no, all or nothing where names of categories belong: nobody knows what of."""
    return isinstance(sent, str) and ids.normalise(sent).strip().lower() in _NO_NAMES


def _names(sent: Any) -> list[str] | None:
    """Names that were sent as a list, or as text with commas between them; None where they are none."""
    if isinstance(sent, str):
        return [name for name in sent.split(",") if name.strip()]
    if not isinstance(sent, list) or any(is_nested(name) for name in sent):
        return None
    return [name for one in sent if (name := text_of(one))]


def _in_json(sent: Any) -> Any:
    """What a text that is an object or a list says; anything else as it is."""
    if not isinstance(sent, str) or not sent.strip().startswith(("{", "[")):
        return sent
    try:
        return orjson.loads(sent)
    except orjson.JSONDecodeError:
        return sent
