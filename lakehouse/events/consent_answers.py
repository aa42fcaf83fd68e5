"""What tools write of consent in a message -> an answer: categories, and what was said of each. Its meaning: consent.py.

Read are `context.consentManagement`, RudderStack's ids that are allowed and ids that are denied, and `context.consent`, an object or the same as text: under
`categoryPreferences`, Segment's, or another name of _PLACES, or beside it the names of categories themselves, as Cookiebot and Google's consent mode
have them. Preferences are an object; a list of what is allowed, as OneTrust's active groups are, with a word behind each (`C0001:0`, `analytics:yes`) or
without; two lists, of what is allowed and what is denied, as Didomi's and cookieconsent's are; or a list of objects that name a category and a word. A word may
lie in an object of its own, `{"granted": false}`. One no in the place of all of it refuses everything; one yes there says nobody knows what.
"""

import re
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

import orjson

from lakehouse.events import contracts, ids
from lakehouse.events.document import is_nested, says_nothing, text_of


def words_of(listed: str) -> frozenset[str]:
    """Words that are written with commas between them."""
    return frozenset(listed.split(", "))


def _opts(way: str) -> set[str]:
    return {f"{opt}{between}{way}" for opt in ("opt", "opted") for between in ("", " ", "-", "_")}


_YES = words_of(
    "true, 1, yes, y, t, on, ok, granted, grant, given, allowed, allow, accepted, accept, agreed, agree, consented, consent given, enabled, "
    "active, checked, subscribed, ja, oui, si, s\u00ed, sim, tak, evet"
) | _opts("in")
_NO = words_of("false, 0, no, n, f, off, deny, denied, declined, nein, non")
_REFUSED = (
    _NO
    | _opts("out")
    | words_of(
        "none, reject, rejected, refuse, refused, decline, withdrawn, revoked, unsubscribed, disabled, reject all, deny all, decline all, "
        "rejected all, denied all, necessary, essential"
    )
)
_NO_NAMES = _YES | _REFUSED | {"null", "undefined", "all"}
CATEGORIES, MANAGEMENT = "categories", "consent_management"
# Names without their spelling: in context.consent, in an entry of a list, in the object of one word.
_PREFERENCES = "categorypreferences"
# Preferences stand under these, where they are not one word.
_PLACES = frozenset((_PREFERENCES, "preferences", "categories", "purposes", "choices"))
TC_STRINGS = frozenset(("tcstring", "tcfstring", "tcf", "iabtcftcstring", "euconsentv2"))
GDPR_APPLIES = frozenset(("gdprapplies", "iabtcfgdprapplies"))
TEXT_VERSIONS = frozenset(("textversion", "policyversion", "noticeversion"))
US_PRIVACY = frozenset(("usprivacy", "usprivacystring", "uspstring", "usp", "iabusprivacystring", "ccpa"))
GPC_NAMES = frozenset(("gpc", "globalprivacycontrol"))
GPP_STRINGS = frozenset(("gpp", "gppstring", "gppconsentstring", "iabgpphdrgppstring"))
_GPP_SECTIONS = frozenset(("gppsid", "gppsectionid", "gppsections", "applicablesections", "iabgppgppsid"))
_NO_WORDS = (
    GDPR_APPLIES | TEXT_VERSIONS | US_PRIVACY | GPC_NAMES | GPP_STRINGS | _GPP_SECTIONS | frozenset(("jurisdiction",))
)
# Names of lists in context.consentManagement and in preferences: of what is allowed, and of what is denied.
_ALLOWED = frozenset(("allowedconsentids", "allowed", "accepted", "acceptedcategories", "enabled", "granted"))
_DENIED = frozenset(("deniedconsentids", "denied", "rejected", "rejectedcategories", "disabled", "refused"))
_NO_IDS = frozenset(("provider", "resolutionstrategy", "enabled"))
_NAMES = words_of("category, name, purpose, id, group, type, key, slug")
_WORDS = words_of("granted, given, consented, allowed, accepted, enabled, status, state, value, choice, optin, consent")
_GOOGLE = re.compile(r"G1([01-])([01-])[01-]?", re.IGNORECASE)  # consent mode, as hits of Google's tag say it
_WITH_WORD = re.compile(r"\s*(.+?)\s*[:=]\s*(\w+)\s*")
# What a name says beside its category: marketing_cookies, marketingOptIn, accepts_marketing, is_marketing_allowed.
_ALLOWS = re.compile(
    r"\A(?:is|has)?(?:accepts?|allows?|agrees?|consents?|opt(?:ed)?in)(?:to|for)?"
    r"|(?:cookies?|category|purposes?|consent(?:ed)?|allowed|accepted|agreed|granted|given|enabled|subscribed|opt(?:ed)?in)+\Z"
)
_IS = re.compile(r"\A(?:is|has)")
_FORBIDS = re.compile(
    r"\A(?:donot|gpc|globalprivacycontrol|unsubscribed?|no(?=.))|opt(?:ed)?out"
    r"|(?:denied|declined|refused|rejected|disallowed|disabled|blocked|withdrawn|revoked|unsubscribed?)\Z"
)


class Answer(NamedTuple):
    """words: category -> what was said of it, as sent; None = nothing. names_all: what is not among them was refused.

    is_read: false where something was said of consent that nobody can read. source: of which tool's shape it is.
    """

    words: Mapping[str, Any]
    names_all: bool = False
    is_read: bool = True
    source: str = CATEGORIES


UNREAD = Answer({}, is_read=False)
_REFUSES_ALL = Answer({}, names_all=True)


def answers(context: Mapping[str, Any], categories: Mapping[str, str]) -> list[Answer]:
    """All that a message says in its context, tool by tool; none = nothing, so that nobody was asked. `categories`: names without their spelling."""
    told = (_managed(_in_json(context.get("consentManagement"))), *_preferred(consent_in(context), categories))
    return [one for one in told if one is not None]


def _managed(sent: Any) -> Answer | None:
    """RudderStack's. Before anybody was asked it names nothing as allowed, and nothing as denied."""
    if says_nothing(sent):
        return None
    if not isinstance(sent, dict):
        return UNREAD._replace(source=MANAGEMENT)
    by_name = _by_name(sent)
    told = {name: value for name, value in by_name.items() if name not in _NO_IDS and not says_nothing(value)}
    if not told:
        return None
    is_read = told.keys() <= _ALLOWED | _DENIED
    return _listed(told, is_read=is_read)._replace(source=MANAGEMENT)


def _listed(told: Mapping[str, Any], *, is_read: bool = True) -> Answer:
    """Of lists under names of _ALLOWED and _DENIED."""
    allowed = [_ids(value) for name, value in told.items() if name in _ALLOWED]
    denied = [_ids(value) for name, value in told.items() if name in _DENIED]
    words: dict[str, Any] = {}
    for ids_ in allowed:
        words |= ids_ or {}
    noes = [name for ids_ in denied for name in ids_ or ()]
    is_read = is_read and None not in (*allowed, *denied)
    return Answer(words | dict.fromkeys(noes, False), names_all=is_read and not noes, is_read=is_read)


def _lists_in(sent: Mapping[str, Any]) -> dict[str, Any]:
    """The lists among other things, of what was allowed or denied; empty ones say nothing."""
    return {
        name: value
        for name, value in _by_name(sent).items()
        if name in _ALLOWED | _DENIED and isinstance(value, list) and value
    }


def _ids(sent: Any) -> dict[str, Any] | None:
    """Ids of categories that were sent as a list, as text, or as the keys of an object, and what is said of each; None = nobody can read it."""
    if isinstance(sent, dict):
        return {name: yes_or_no(value) is not False for name, value in sent.items()}
    names = _texts(sent)
    return None if names is None else dict.fromkeys(names, True)


def _preferred(sent: Any, categories: Mapping[str, str]) -> Iterator[Answer | None]:
    """What stands in context.consent. Beside preferences only refusals are heard, where no tool puts any."""
    if says_nothing(sent):
        return
    if not isinstance(sent, dict):
        yield _of(sent, categories)
        return
    held = [value for name, told in sent.items() if not says_nothing(value := _preferences(name, told))]
    if lists := _lists_in(sent):
        yield _listed(lists)
    elif not held:
        yield _beside(sent, categories)
        return
    yield from (_of(one, categories) for one in held)
    noes = {name: value for name, value in sent.items() if _is_refusal(name, value, categories)}
    if noes:
        yield Answer(noes)


def _preferences(name: str, sent: Any) -> Any:
    """What stands under a name of _PLACES; None under any other. Cookiebot has a category that is called preferences."""
    bare, value = contracts.spelling(name), _in_json(sent)
    return value if bare == _PREFERENCES or (bare in _PLACES and is_nested(value)) else None


def _is_refusal(name: str, value: Any, categories: Mapping[str, str]) -> bool:
    told = None if yes_or_no(value) is None else word(name, value, categories)
    return told is not None and told[0] is not None and not told[1]


def word(name: str, said: object, categories: Mapping[str, str]) -> tuple[str | None, bool] | None:
    """The purpose that a category is of, None = of nobody knows what, and whether it is allowed; None where that says nothing.

    A category that is named by what it forbids (`opt_out`, `no_marketing`) allows nothing by a no.
    """
    bare = contracts.spelling(name)
    purpose, is_allowed = _purpose(bare, categories), yes_or_no(said)
    forbids = _forbids(bare, categories)
    if forbids is None:
        return purpose, is_allowed is True
    if is_allowed is False:
        return None if purpose is None else (purpose, True)
    return purpose or _purpose(forbids, categories), False


def consent_in(context: Mapping[str, Any]) -> Any:
    """context.consent; opened, where it is JSON in a text."""
    return _in_json(context.get("consent"))


def named(sent: Mapping[str, Any], names: frozenset[str]) -> str | None:
    """The first text under one of the names, in any spelling."""
    return next(filter(None, map(text_of, under(sent, names))), None)


def does_gdpr_apply(sent: Mapping[str, Any]) -> bool:
    """As far as anybody says otherwise."""
    return not any(yes_or_no(value) is False for value in under(sent, GDPR_APPLIES))


def yes_or_no(word: object) -> bool | None:
    """What a word, number or boolean says; None = neither. Other things than consent are asked by it, too."""
    said = _plain(word)
    return True if said in _YES else False if said in _NO else None


def permission(word: object) -> bool | None:
    """What a word says where it is known to be of consent: a word that refuses is a no there; None = nobody knows."""
    said = _plain(word)
    return True if said in _YES else False if said in _REFUSED else None


def _plain(word: object) -> str:
    return ids.normalise(text_of(word) or "").strip().lower()


def _purpose(bare: str, categories: Mapping[str, str]) -> str | None:
    rest = _ALLOWS.sub("", bare)
    names = (bare,) if rest == bare else (bare, rest, _IS.sub("", rest))
    return next((categories[name] for name in names if name in categories), None)


def _forbids(bare: str, categories: Mapping[str, str]) -> str | None:
    """What a name that forbids something forbids; None where it allows."""
    found = _FORBIDS.search(bare)
    if found is None:
        return None
    rest = bare[: found.start()] + bare[found.end() :]
    return None if found[0] == "no" and _purpose(rest, categories) is None else rest  # a notice is no refusal


def _of(preferences: Any, categories: Mapping[str, str]) -> Answer:
    """What is said of categories, in any of the shapes."""
    if isinstance(preferences, dict):
        said = {name: _inner(value) for name, value in preferences.items()}
        if not (lists := _lists_in(preferences)):
            return Answer(said)
        listed = _listed(lists)
        known = {name: one for name, one in said.items() if _purpose(contracts.spelling(name), categories) is not None}
        return listed._replace(words={**known, **listed.words})
    if not is_nested(preferences) and (plain := _plain(preferences)) in _NO_NAMES:
        return _REFUSES_ALL if plain in _REFUSED else UNREAD
    if isinstance(preferences, list) and any(map(is_nested, preferences)):
        return _of_entries(preferences, categories)
    names = _texts(preferences)
    return UNREAD if names is None else Answer(dict(map(_with_word, names)), names_all=True)


def _with_word(text: str) -> tuple[str, bool]:
    """`C0001:0`, `analytics:yes`; a name without a word is one that was allowed."""
    found = _WITH_WORD.fullmatch(text)
    said = None if found is None else yes_or_no(found[2])
    return (text, True) if found is None or said is None else (found[1], said)


def _of_entries(preferences: list[Any], categories: Mapping[str, str]) -> Answer:
    """A list of objects, each of a category and a word. Of several names the category is the one that is known as such."""
    words: dict[str, Any] = {}
    for entry in preferences:
        names = [text for one in under(entry, _NAMES) if (text := text_of(one))] if isinstance(entry, dict) else []
        said = _inner(next(under(entry, _WORDS), None)) if names else None
        if says_nothing(said):
            return UNREAD
        known = (name for name in names if _purpose(contracts.spelling(name), categories) is not None)
        words[next(known, names[0])] = said
    return Answer(words)


def _beside(sent: Mapping[str, Any], categories: Mapping[str, str]) -> Answer | None:
    """What context.consent says itself, without preferences."""
    words: dict[str, Any] = {}
    says_more = refuses_all = False
    no_words = _NO_WORDS if does_gdpr_apply(sent) else _NO_WORDS | TC_STRINGS
    for name, value in sent.items():
        bare = contracts.spelling(name)
        if bare in no_words or says_nothing(value):
            continue
        if bare == "gcs" and (google := _GOOGLE.fullmatch(text_of(value) or "")):
            words |= {"ad_storage": google[1] == "1", "analytics_storage": google[2] == "1"}
        elif _purpose(bare, categories) is not None or _forbids(bare, categories) is not None:
            if word(name, _inner(value), categories) is not None:  # who does not forbid says nothing
                words[name] = _inner(value)
        else:
            says_more = True
            refuses_all |= bare in _WORDS and _plain(value) in _REFUSED
    if words or refuses_all:
        return Answer(words, names_all=refuses_all)
    return UNREAD if says_more else None


def _inner(value: Any) -> Any:
    """The word in an object of its own; anything else as it is."""
    return next(under(value, _WORDS), value) if isinstance(value, dict) else value


def under(sent: Mapping[str, Any], names: frozenset[str]) -> Iterator[Any]:
    """Everything under one of the names, in any spelling."""
    return (value for name, value in sent.items() if contracts.spelling(name) in names)


def _by_name(sent: Mapping[str, Any]) -> dict[str, Any]:
    """By the names without their spelling, opened where they are JSON in a text."""
    return {contracts.spelling(name): _in_json(value) for name, value in sent.items()}


def _texts(sent: Any) -> list[str] | None:
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
