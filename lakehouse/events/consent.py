"""What an event says of consent: categories as consent tools name them -> our purposes.

Names are mapped by conf/base.toml, [consent.categories], in any spelling. Words and numbers are read as well as booleans; what is neither
a yes nor a no counts as a no. Of several categories of one purpose one no is a no. A refusal of a category that is mapped to nothing
denies every purpose the same message does not allow by name: nobody knows what was refused. Yes to a category that is named by what it
forbids (opt_out, do_not_sell) is such a refusal. Somebody who answered at all was asked: a purpose they said nothing of is not one they
were never asked about, and no more is it where nobody can read the answer.

Read are what tools write of categories (consent_answers.py); context.consent.tcString, of the IAB's TCF (tcf.py), unless its gdprApplies is
no; a string of the Global Privacy Platform (gpp.py), which may hold one; and context.gpc, Global Privacy Control, or an opt-out by a U.S. law in that string or in a
U.S. Privacy String: it refuses the purposes of consent.gpc, answers nothing else, and grants nothing. All of them are heard, whichever else are there: where two speak of a purpose one no is a no. Beside something that nobody can read only
refusals are heard: what it is may be one. Who unsubscribed from letters, by the event that says so or by a trait of an identify event, refuses marketing and answers nothing else. context.consent.jurisdiction and textVersion are kept with what was said.

Sources: https://www.twilio.com/docs/segment/privacy/consent-management/consent-in-segment-connections, and
https://www.rudderstack.com/docs/data-governance/consent-management/passing-consent/; of letters Segment's spec, Email events.
"""

import re
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import orjson

from lakehouse.config import ConsentConfig
from lakehouse.config.limits import PURPOSES
from lakehouse.events import contracts, gpp, tcf
from lakehouse.events.consent_answers import (
    CATEGORIES,
    GPC_NAMES,
    GPP_STRINGS,
    TC_STRINGS,
    TEXT_VERSIONS,
    UNREAD,
    US_PRIVACY,
    Answer,
    answers,
    consent_in,
    does_gdpr_apply,
    named,
    under,
    word,
    words_of,
    yes_or_no,
)
from lakehouse.events.document import NOTHING, object_at, says_nothing, text_of
from lakehouse.events.remembered import Remembered

# In the context, where consent stands.
_SIGNALS, _US_STRINGS, _GPP_PLACES = ("gpc", "globalPrivacyControl"), ("usPrivacy", "us_privacy"), ("gpp", "gppString")
PLACES = ("consent", "consentManagement", *_SIGNALS, *_US_STRINGS, *_GPP_PLACES)
TCF, GPC, UNSUBSCRIBED = "tcf", "gpc", "unsubscribed"
SIGNALS = (GPC, UNSUBSCRIBED)  # refusals of somebody who was asked nothing
# Traits that say by a yes, and those that say by a no, that somebody wants no letters; without their spelling.
_REFUSE_BY_YES = words_of(
    "unsubscribed, isunsubscribed, emailunsubscribed, unsubscribedfromallemail, hsemailoptout, emailoptout, hasoptedoutofemail, optedoutofemail, donotemail"
)
_REFUSE_BY_NO = words_of(
    "acceptsmarketing, acceptsemailmarketing, emailsubscribe, emailsubscribed, emailoptin, marketingoptin, emailmarketingconsent, subscribedtonewsletter"
)
_LEFT = words_of("unsubscribed, opted_out, opted out, opt-out, optout, opt_out, never_subscribed, not_subscribed")
Texts = Sequence[str | None]
_JURISDICTION = re.compile(r"[A-Z]{2}(?:-[A-Z0-9]{1,3})?\Z")


def consent(said: Answer, categories: Mapping[str, str], purposes: Sequence[str] = PURPOSES) -> dict[str, bool | None]:
    """Every purpose -> whether it is allowed, None = nothing was said of it. `categories`: of `spelled`."""
    found: dict[str, bool | None] = dict.fromkeys(purposes)
    is_any_refused = said.names_all
    for name, sent in said.words.items():
        told = None if sent is None else word(name, sent, categories)
        if told is None:
            continue
        purpose, is_allowed = told
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
    """source: CATEGORIES, MANAGEMENT, TCF, GPC or UNSUBSCRIBED; of several the first. jurisdiction: ISO 3166; None = not said, or no such code.

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
        """Whether somebody was asked; a browser that signals a refusal by itself was not, nor who unsubscribed."""
        return self.basis.source not in SIGNALS


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


def takes_back(message: Mapping[str, Any], type_: str | None, event: str | None) -> bool:
    """Whether a message, its event's name in our spelling, says that somebody wants no letters any more."""
    if type_ != "identify":
        return type_ == "track" and event in contracts.TAKE_BACK
    return any(
        _refuses_letters(contracts.spelling(name), sent)
        for traits in (message.get("traits"), object_at(message, "context").get("traits"))
        if isinstance(traits, dict)
        for name, sent in traits.items()
    )


def _refuses_letters(trait: str, sent: Any) -> bool:
    if trait in _REFUSE_BY_YES:
        return yes_or_no(sent) is True
    return trait in _REFUSE_BY_NO and (yes_or_no(sent) is False or (text_of(sent) or "").strip().lower() in _LEFT)


def heard(context: Mapping[str, Any], rules: ConsentRules, *, is_taken_back: bool = False) -> Heard | None:
    """What a message says in its context; None = nothing, so that nobody was asked. `is_taken_back`: of `takes_back`."""
    opened = consent_in(context)
    sent = opened if isinstance(opened, dict) else NOTHING
    platform = _platform(context, sent)
    strings = _tc_strings(sent, platform)
    said = answers(context, rules.categories)
    if strings and says_nothing(sent.get("categoryPreferences")):
        said = [one for one in said if one.is_read or one.source != CATEGORIES]  # what stands there is the string
    if not all(one is not None and one.is_whole for one in platform):
        said.append(UNREAD)
    told = [(one.source, consent(one, rules.categories, rules.purposes)) for one in said]
    told += [(TCF, {purpose: one.allows(needed) for purpose, needed in rules.tcf.items()}) for one in strings]
    if _signals_refusal(context, sent) or any(one is not None and one.opts_out for one in platform):
        told.append((GPC, dict.fromkeys(rules.gpc, False)))
    if is_taken_back:
        told.append((UNSUBSCRIBED, {"marketing": False}))
    if not told:
        return None
    is_read = all(one.is_read for one in said)
    words = {purpose: _together(one.get(purpose) for _, one in told) for purpose in rules.purposes}
    if not is_read:
        words = {purpose: False if word is False else None for purpose, word in words.items()}
    basis = Basis(
        source=told[0][0],
        jurisdiction=_jurisdiction(sent),
        text_version=named(sent, TEXT_VERSIONS) or (strings[0].text_version if strings else None),
        others=_others(words) or None,
    )
    return Heard(Consent(*(words[purpose] for purpose in PURPOSES)), is_read, basis)


def _others(words: Mapping[str, bool | None]) -> list[dict[str, str | bool]]:
    """What was said of purposes that tables have no column for."""
    return [
        {"purpose": purpose, "is_allowed": word}
        for purpose, word in sorted(words.items())
        if purpose not in PURPOSES and word is not None
    ]


class ConsentReader:
    """Reads consent by [consent]. The same words come again and again: what they mean is remembered by their JSON. Thread-safe."""

    def __init__(self, config: ConsentConfig) -> None:
        self._rules = ConsentRules.of(config)
        self._known = Remembered(self._heard_in, most=5_000, longest=1_000)

    def taken_back(self, messages: Sequence[Mapping[str, Any]], types: Texts, events: Texts) -> list[int]:
        """The numbers of those that `takes_back` finds; what is neither of letters nor of who somebody is, and that is most, is not asked."""
        told = enumerate(zip(messages, types, events, strict=True))
        asked = (one for one in told if one[1][1] == "identify" or one[1][2] in contracts.TAKE_BACK)
        return [number for number, one in asked if takes_back(*one)]

    def column(self, contexts: Sequence[Mapping[str, Any]], taken_back: Collection[int] = ()) -> list[Heard | None]:
        """Of many events; None = nobody was asked. `taken_back`: the numbers of those that `taken_back` finds."""
        found = self._of(contexts)
        for number in taken_back:
            found[number] = heard(contexts[number], self._rules, is_taken_back=True)
        return found

    def _of(self, contexts: Sequence[Mapping[str, Any]]) -> list[Heard | None]:
        said = [tuple(map(one.get, PLACES)) for one in contexts]
        try:
            texts = list(map(orjson.dumps, said))
        except orjson.JSONEncodeError:  # a number of more digits than a machine's
            return list(map(self._heard, said))
        known = self._known
        return [known[text] for text in texts]

    def _heard_in(self, sent: bytes) -> Heard | None:
        return self._heard(orjson.loads(sent))

    def _heard(self, sent: Sequence[Any]) -> Heard | None:
        return heard(dict(zip(PLACES, sent, strict=True)), self._rules)


def spelled(categories: Mapping[str, str]) -> dict[str, str]:
    """[consent.categories] by what the spellings of a name have in common."""
    return {contracts.spelling(name): purpose for name, purpose in categories.items()}


def _together(words: Iterable[bool | None]) -> bool | None:
    """Of what several say of one purpose: one no is a no."""
    said = [word for word in words if word is not None]
    return all(said) if said else None


def _tc_strings(sent: Mapping[str, Any], platform: Iterable[gpp.GppString | None]) -> list[tcf.TcString]:
    """Those that can be read, where the law they are made for applies."""
    if not does_gdpr_apply(sent):
        return []
    text = named(sent, TC_STRINGS)
    found = (None if text is None else tcf.decode(text), *(one.tc_string for one in platform if one is not None))
    return [one for one in found if one is not None]


def _platform(context: Mapping[str, Any], sent: Mapping[str, Any]) -> list[gpp.GppString | None]:
    """Strings of the Global Privacy Platform; None = one that nobody can read. Outside of context.consent the names may be of something else."""
    outside = filter(None, map(_gpp_string, map(context.get, _GPP_PLACES)))
    return [*outside, *(_gpp_string(one) for one in under(sent, GPP_STRINGS) if not says_nothing(one))]


def _gpp_string(sent: Any) -> gpp.GppString | None:
    """Of the text, or of the object in which the platform's own interface hands it out."""
    text = named(sent, GPP_STRINGS) if isinstance(sent, dict) else text_of(sent)
    return None if text is None else gpp.decode(text)


def _signals_refusal(context: Mapping[str, Any], sent: Mapping[str, Any]) -> bool:
    """Whether the browser, or the string that stands for its person, opts out of what passes data on."""
    signals = (*map(context.get, _SIGNALS), *under(sent, GPC_NAMES))
    strings = (*map(context.get, _US_STRINGS), named(sent, US_PRIVACY))
    return any(map(yes_or_no, signals)) or any(one.__class__ is str and gpp.us_privacy_opts_out(one) for one in strings)


def _jurisdiction(sent: Mapping[str, Any]) -> str | None:
    text = (named(sent, frozenset(("jurisdiction",))) or "").strip().upper()
    return text if _JURISDICTION.match(text) else None
