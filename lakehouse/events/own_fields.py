"""A sender's own fields as one JSON text: `properties` and `context` of a message, with a token wherever personal data stood.

What is kept is what was sent: every name, in its order, every kind of value, every digit of a number. A field is never left out.
What is personal by lakehouse/events/personal_data.py is replaced by its token (tokens.py), where it stands. So who reads the column
sees that something was sent there and that it is hidden; two of the same value still are one, and an e-mail address has the token by which the
identifiers know it. Of a web address only the parts that are personal are replaced, of any other text all of it.

Under a personal name everything is hidden but what says nothing of anybody: true, false, null, nothing at all, and the country of an address.
"""

import re
from collections.abc import Mapping
from functools import partial
from typing import Any, NamedTuple
from urllib.parse import unquote

from lakehouse.config import Config
from lakehouse.events import emails, phone
from lakehouse.events.document import NOTHING, text_of
from lakehouse.events.json_text import Objects, json_text
from lakehouse.events.personal_data import CARD, EMAIL, NAME, OWN, PHONE, Name, is_card, kind_of, named, spelling
from lakehouse.events.remembered import Remembered
from lakehouse.events.suspicious_objects import LABELLED, LABELS, SuspiciousObjects
from lakehouse.events.tokens import token

_NOBODY = Name()
# Of the web, whole or a part of it: analytics.js sends the query string alone, too, as page.search.
_ADDRESS = re.compile(r"(?:[A-Za-z][A-Za-z0-9+.-]*:)?//\S*\Z|[/?#]\S*\Z|www[.]\S+\Z|[\w.%+\[\]-]+=\S*\Z")
_QUERY = re.compile(r"[?#].*", re.DOTALL)
_PAIR = re.compile(r"(?:(?<=[?&#;])|\A)([^=&#;?/]+)=([^&#;]*)")
_PART = re.compile(r"[^/?&#;=]+")


class Shown(NamedTuple):
    """Objects without personal data, and each as JSON in UTF-8; None where NOTHING stands for one."""

    objects: list[dict[str, Any]]
    texts: list[bytes | None]


class OwnFields:
    """Writes them by one configuration. Thread-safe."""

    def __init__(self, config: Config) -> None:
        self._privacy = config.privacy
        self._email_tags = config.identity.email_tags
        self._region = phone.region(config.events.default_region)
        self._declared = {spelling(name): OWN for name in config.privacy.personal_fields}
        self._plain = frozenset(spelling(name) for name in config.privacy.plain_fields)
        self._names = Remembered(self._says)
        self._texts = Remembered(self._shown)
        self._versions = Remembered(partial(self._shown, is_version=True))
        self._suspects = SuspiciousObjects(self._names, self._texts, self._labelled)

    def shown(self, sent: dict[str, Any]) -> dict[str, Any]:
        """The object without personal data; itself where there is none in it, as in most."""
        return self.column(Objects.of([sent])).objects[0]

    def column(self, objects: Objects) -> Shown:
        """The same of many objects."""
        shown, texts = list(objects.sent), list(objects.texts)
        for number in self._suspects.among(*objects):
            shown[number] = self._object(shown[number], _NOBODY)
            texts[number] = json_text(shown[number])
        told = zip(objects.sent, texts, strict=True)
        return Shown(shown, [None if one is NOTHING else text for one, text in told])

    def _object(self, sent: Mapping[str, Any], holder: Name) -> dict[str, Any]:
        """In one loop, without a call for what is most often sent: every event pays for it."""
        names, texts, is_person = self._names, self._texts, holder.is_person
        labelled = self._labelled(sent) if "id" in sent or "value" in sent else None
        shown: dict[str, Any] = {}
        for key, value in sent.items():
            name, says = names[key]
            kind, sort = None, value.__class__
            if says is not _NOBODY:
                kind = NAME if is_person and says.is_part else says.kind
            if labelled is not None and kind is None and key in LABELLED:
                kind = labelled
            if kind is not None:
                shown[name] = self._hidden(kind, value)
            elif sort is str:
                shown[name] = self._versions[value] if says.is_version else texts[value]
            elif sort is bool or sort is float:
                shown[name] = value
            elif sort is dict:
                shown[name] = self._object(value, says)
            else:
                shown[name] = self._value(value, says)
        return shown

    def _labelled(self, sent: Mapping[str, Any]) -> str | None:
        """The kind that an object says its own `id` or `value` is of."""
        labels = (sent.get(label) for label in LABELS)
        kinds = (self._names[label][1].kind for label in labels if isinstance(label, str))
        return next((kind for kind in kinds if kind is not None), None)

    def _value(self, value: Any, says: Name) -> Any:
        """A value whose name is not personal."""
        sort = value.__class__
        if sort is str:
            return self._versions[value] if says.is_version else self._texts[value]
        if sort is dict:
            return self._object(value, says)
        if sort is list:
            return [self._value(one, says) for one in value]
        return self._token(CARD, str(value)) if sort is int and is_card(str(value)) else value

    def _shown(self, text: str, *, is_version: bool = False) -> str:
        kind = kind_of(text, is_version=is_version)
        if kind is None:
            return _PAIR.sub(self._pair, text) if "=" in text else text
        return self._of_the_web(text, kind) if _ADDRESS.match(text) else self._token(kind, text)

    def _of_the_web(self, address: str, kind: str) -> str:
        """An address with a token for each of its parts and parameters that is personal. kind: of the whole."""
        parted = _PART.sub(self._part, _PAIR.sub(self._pair, address))
        is_spread = kind_of(_QUERY.sub("", parted)) is not None  # over parts, as in /call/+49/170/2345678
        return self._token(kind, address) if is_spread else parted

    def _pair(self, pair: re.Match[str]) -> str:
        name, value = pair[1], pair[2]
        kind = self._names[unquote(name)][1].kind
        if kind is None and "%" in value:  # a link in a link
            named = (self._names[inner][1].kind for inner, _ in _PAIR.findall(unquote(unquote(value))))
            kind = next((inner for inner in named if inner is not None), None)
        return pair[0] if kind is None or not value else f"{name}={self._token(kind, value)}"

    def _part(self, part: re.Match[str]) -> str:
        kind = kind_of(part[0])
        return part[0] if kind is None else self._token(kind, part[0])

    def _hidden(self, kind: str, value: Any) -> Any:
        """Everything under a personal name."""
        if isinstance(value, dict):
            named = [(*self._names[key], one) for key, one in value.items()]
            return {
                name: self._value(one, _NOBODY) if says.is_country else self._hidden(kind, one)
                for name, says, one in named
            }
        if isinstance(value, list):
            return [self._hidden(kind, one) for one in value]
        if value is None or isinstance(value, bool) or (isinstance(value, str) and not value.strip()):
            return value
        return self._token(kind, text_of(value) or "")

    def _says(self, key: str) -> tuple[str, Name]:
        """A name as it is shown, and what it says. A name may be personal itself: {"ann@example.com": 3}."""
        kind, words = kind_of(key), spelling(key)
        shown = key if kind is None else token(self._privacy, kind, key)
        says = named(key)
        if words in self._declared:
            says = says._replace(kind=OWN)
        elif words in self._plain:
            says = says._replace(kind=None, is_part=False)
        return shown, _NOBODY if says == _NOBODY else says

    def _token(self, kind: str, text: str) -> str:
        """An address and a number in the form in which identifiers are tokens, where they can be read."""
        normal = None
        if kind == EMAIL:
            normal = emails.normalise(text, self._email_tags)
        elif kind == PHONE:
            normal = phone.normalise(text, self._region)
        return token(self._privacy, kind, normal or text)
