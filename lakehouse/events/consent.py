"""What an event says of consent: categories as consent tools name them -> our purposes.

Names are mapped by conf/base.toml, [consent.categories], in any spelling. Words and numbers are read as well as booleans; what is neither
a yes nor a no counts as a no. Of several categories of one purpose one no is a no. A refusal of a category that is mapped to nothing
denies every purpose the same message does not allow by name: nobody knows what was refused. Yes to a category that is named by what it
forbids (opt_out, do_not_sell) is such a refusal. Somebody who answered at all was asked: a purpose they said nothing of is not one they
were never asked about, and no more is it where nobody can read the answer.

Read are context.consent.categoryPreferences, Segment's: an object, the same as text, or a list of what is allowed, as OneTrust's active
groups are; and context.consentManagement, RudderStack's.
"""

import re
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import orjson

from lakehouse.config.limits import PURPOSES
from lakehouse.events import contracts, ids
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
_PLACES = ("consent", "consentManagement")  # in the context
_FORBIDS = re.compile(r"donot|optout|optedout|gpc|globalprivacycontrol|unsubscribe")
_OF_COOKIES = re.compile(r"(?:cookies?|category|consent|purposes?)\Z")


class Answer(NamedTuple):
    """words: category -> what was said of it, as sent; None = nothing. names_all: what is not among them was refused.

    is_read: false where something was said of consent that nobody can read.
    """

    words: Mapping[str, Any]
    names_all: bool = False
    is_read: bool = True


def answer(context: Mapping[str, Any]) -> Answer | None:
    """What a message says in its context; None = nothing, so that nobody was asked."""
    managed = object_at(context, "consentManagement")
    if managed:
        allowed, denied = (_names(managed.get(name)) or [] for name in ("allowedConsentIds", "deniedConsentIds"))
        if allowed or denied:
            return Answer(dict.fromkeys(allowed, True) | dict.fromkeys(denied, False))
    sent = context.get("consent")
    if says_nothing(sent):
        return None
    preferences = _in_json(object_at(context, "consent").get("categoryPreferences"))
    if says_nothing(preferences):
        is_more = not isinstance(sent, dict) or any(not says_nothing(value) for value in sent.values())
        return Answer({}, is_read=False) if is_more else None
    if isinstance(preferences, dict):
        return Answer(preferences)
    names = None if _is_word(preferences) else _names(preferences)
    return Answer({}, is_read=False) if names is None else Answer(dict.fromkeys(names, True), names_all=True)


def consent(said: Answer, categories: Mapping[str, str]) -> dict[str, bool | None]:
    """Every purpose -> whether it is allowed, None = nothing was said of it. `categories`: of `spelled`."""
    words = [_word(name, word) for name, word in said.words.items() if word is not None]
    purposes: dict[str, bool | None] = dict.fromkeys(PURPOSES)
    is_any_refused = said.names_all
    for name, is_allowed in words:
        purpose = categories.get(name) or categories.get(_OF_COOKIES.sub("", name))
        if purpose is not None:
            purposes[purpose] = is_allowed and purposes[purpose] is not False
        else:
            is_any_refused |= not is_allowed
    return {purpose: allowed or False for purpose, allowed in purposes.items()} if is_any_refused else purposes


class Consent(NamedTuple):
    """One word a purpose; None = nothing was said of it."""

    analytics: bool | None
    personalization: bool | None
    marketing: bool | None


class Heard(NamedTuple):
    """What an event says of consent. is_read: as in Answer."""

    consent: Consent
    is_read: bool


class ConsentReader:
    """Reads consent by [consent.categories]. The same words come again and again: what they mean is remembered by their JSON. Thread-safe."""

    def __init__(self, categories: Mapping[str, str]) -> None:
        self._categories = spelled(categories)
        self._known = Remembered(self._heard_in, most=5_000, longest=1_000)

    def column(self, contexts: Sequence[Mapping[str, Any]]) -> list[Heard | None]:
        """Of many events; None = nobody was asked."""
        of_segment, of_rudderstack = _PLACES
        said = [(one.get(of_segment), one.get(of_rudderstack)) for one in contexts]
        try:
            texts = list(map(orjson.dumps, said))
        except orjson.JSONEncodeError:  # a number of more digits than a machine's
            return list(map(self._heard, said))
        known = self._known
        return [known[text] for text in texts]

    def _heard_in(self, sent: bytes) -> Heard | None:
        return self._heard(orjson.loads(sent))

    def _heard(self, sent: Sequence[Any]) -> Heard | None:
        said = answer(dict(zip(_PLACES, sent, strict=True)))
        return None if said is None else Heard(Consent(**consent(said, self._categories)), said.is_read)


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
