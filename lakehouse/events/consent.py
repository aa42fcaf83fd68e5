"""What an event says of consent: categories as consent tools name them -> our purposes.

Names are mapped by conf/base.toml, [consent.categories], in any spelling. Words and numbers are read as well as booleans; what is neither
a yes nor a no counts as a no. Of several categories of one purpose one no is a no. A refusal of a category that is mapped to nothing
denies every purpose the same message does not allow by name: nobody knows what was refused. Yes to a category that is named by what it
forbids (opt_out, do_not_sell) is such a refusal, and of one purpose where the name says which (marketing_opt_out). Somebody who answered at all was asked: a purpose they said nothing of is not one they
were never asked about, and no more is it where nobody can read the answer.

Read are context.consent.categoryPreferences, Segment's: an object, the same as text, or a list of what is allowed, as OneTrust's active
groups are; context.consentManagement, RudderStack's: ids that are allowed, and ids that are denied; context.consent.tcString, of the IAB's TCF (tcf.py),
unless its gdprApplies is no; and context.gpc, Global Privacy Control: it refuses the purposes of consent.gpc, answers nothing else, and grants nothing. All of
them are heard, whichever else are there: where two speak of a purpose one no is a no. Beside something that nobody can read only refusals
are heard: what it is may be one. context.consent.jurisdiction and textVersion are kept with what was said.

Sources: https://www.twilio.com/docs/segment/privacy/consent-management/consent-in-segment-connections, and
https://www.rudderstack.com/docs/data-governance/consent-management/passing-consent/
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
# Names in context.consentManagement, without their spelling.
_ALLOWED_IDS, _DENIED_IDS = "allowedconsentids", "deniedconsentids"
_NO_IDS = frozenset(("provider", "resolutionstrategy", "enabled"))
_JURISDICTION = re.compile(r"[A-Z]{2}(?:-[A-Z0-9]{1,3})?\Z")
_FORBIDS = re.compile(r"donot|optout|optedout|unsubscribed?|\A(?:gpc|globalprivacycontrol)")
_OF_COOKIES = re.compile(r"(?:cookies?|category|consent|purposes?)\Z")


class Answer(NamedTuple):
    """words: category -> what was said of it, as sent; None = nothing. names_all: what is not among them was refused.

    is_read: false where something was said of consent that nobody can read. source: of which tool's shape it is.
    """

    words: Mapping[str, Any]
    names_all: bool = False
    is_read: bool = True
    source: str = CATEGORIES


def answers(context: Mapping[str, Any]) -> list[Answer]:
    """All that a message says in its context, shape by shape; none = nothing, so that nobody was asked."""
    told = (_managed(_in_json(context.get("consentManagement"))), _preferred(context.get("consent")))
    return [one for one in told if one is not None]


def _managed(sent: Any) -> Answer | None:
    """RudderStack's. Before anybody was asked it names nothing as allowed, and nothing as denied."""
    if says_nothing(sent):
        return None
    by_name = (
        {contracts.spelling(name): _in_json(value) for name, value in sent.items()} if isinstance(sent, dict) else {}
    )
    told = {name: value for name, value in by_name.items() if name not in _NO_IDS and not says_nothing(value)}
    if isinstance(sent, dict) and not told:
        return None
    allowed, denied = _ids(told.pop(_ALLOWED_IDS, [])), _ids(told.pop(_DENIED_IDS, []))
    is_read = isinstance(sent, dict) and not told and allowed is not None and denied is not None
    words = (allowed or {}) | dict.fromkeys(denied or (), False)
    return Answer(words, is_read=is_read, source=MANAGEMENT)


def _ids(sent: Any) -> dict[str, Any] | None:
    """Ids of categories that were sent as a list, as text, or as the keys of an object, and what is said of each; None = nobody can read it."""
    if isinstance(sent, dict):
        return {name: yes_or_no(value) is not False for name, value in sent.items()}
    names = _names(sent)
    return None if names is None else dict.fromkeys(names, True)


def _preferred(sent: Any) -> Answer | None:
    """Segment's."""
    if says_nothing(sent):
        return None
    if yes_or_no(sent) is False:
        return Answer({}, names_all=True)
    preferences = _in_json(sent.get("categoryPreferences")) if isinstance(sent, dict) else None
    if says_nothing(preferences):
        is_more = not isinstance(sent, dict) or any(
            not says_nothing(value) for name, value in sent.items() if contracts.spelling(name) not in _no_words(sent)
        )
        return Answer({}, is_read=False) if is_more else None
    if isinstance(preferences, dict):
        return Answer(preferences)
    if yes_or_no(preferences) is False:
        return Answer({}, names_all=True)
    names = None if _is_word(preferences) else _names(preferences)
    return Answer({}, is_read=False) if names is None else Answer(dict.fromkeys(names, True), names_all=True)


def consent(said: Answer, categories: Mapping[str, str], purposes: Sequence[str] = PURPOSES) -> dict[str, bool | None]:
    """Every purpose -> whether it is allowed, None = nothing was said of it. `categories`: of `spelled`."""
    words = [_word(name, word) for name, word in said.words.items() if word is not None]
    found: dict[str, bool | None] = dict.fromkeys(purposes)
    is_any_refused = said.names_all
    for name, is_allowed in words:
        purpose = _purpose(name, categories)
        if purpose is None and not is_allowed:
            purpose = _purpose(_FORBIDS.sub("", name), categories)
        if purpose is not None:
            found[purpose] = is_allowed and found[purpose] is not False
        else:
            is_any_refused |= not is_allowed
    return {purpose: allowed or False for purpose, allowed in found.items()} if is_any_refused else found


def _purpose(bare: str, categories: Mapping[str, str]) -> str | None:
    """Which purpose a name without its spelling stands for; None = nobody declared it."""
    return categories.get(bare) or categories.get(_OF_COOKIES.sub("", bare))


def _refused_beside(sent: Mapping[str, Any], categories: Mapping[str, str]) -> dict[str, bool | None]:
    """Purposes that are refused by name in context.consent itself, where no tool puts them: a no is heard wherever it stands."""
    found: dict[str, bool | None] = {}
    for name, word in sent.items():
        bare, said = contracts.spelling(name), yes_or_no(word)
        purpose = _purpose(bare, categories) or _purpose(_FORBIDS.sub("", bare), categories)
        if purpose is not None and said is (_FORBIDS.search(bare) is not None):
            found[purpose] = False
    return found


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
    said = answers(context)
    if string is not None and says_nothing(sent.get("categoryPreferences")):
        said = [one for one in said if one.source != CATEGORIES]  # what stands there is the string
    told: dict[str, dict[str, bool | None]] = {}
    for one in said:
        told[one.source] = consent(one, rules.categories, rules.purposes)
    if string is not None:
        told[TCF] = {purpose: string.allows(needed) for purpose, needed in rules.tcf.items()}
    if any(yes_or_no(context.get(signal)) for signal in _SIGNALS):
        told[GPC] = dict.fromkeys(rules.gpc, False)
    if beside := _refused_beside(sent, rules.categories):
        told[CATEGORIES] = told.get(CATEGORIES, {}) | beside
    if not told:
        return None
    is_read = all(one.is_read for one in said)
    words = {
        purpose: word if is_read or word is False else None
        for purpose in rules.purposes
        for word in (_together(one.get(purpose) for one in told.values()),)
    }
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
    return Heard(Consent(*(words[purpose] for purpose in PURPOSES)), is_read, basis)


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
    return bare, said is False if _FORBIDS.search(bare) else said is True


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
