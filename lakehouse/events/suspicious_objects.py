"""Which of many objects have to be looked at closely for personal data. Few: names come together again and again, and so do values.

That a name, a text, a number or a whole object is harmless is remembered, and asked of whole columns. An object is suspicious where something
in it is personal, and where it cannot be seen at once that nothing is. Under a name that is not personal, a value that is harmless in one
place is so in every other.
"""

from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import chain
from operator import itemgetter
from typing import Any, NamedTuple

from lakehouse.events.document import is_nested
from lakehouse.events.json_text import json_texts
from lakehouse.events.personal_data import Name

# {"type": "phone", "id": "2025550143"}, {"name": "email", "value": ...}: one field says the name of the other.
LABELS, LABELLED = ("name", "type", "key", "field", "label"), ("id", "value")
_MOST_VALUES, _MOST_TEXTS, _LONGEST = 50_000, 20_000, 300  # characters
_MOST_SHAPES, _MOST_NAMES = 2_000, 100
_BELOW_ANY_CARD = 1e13
_ALWAYS_HARMLESS = (None, True, False)


class _Names(NamedTuple):
    """Names of an object, none of them personal.

    leaves: under which a single value stood when they were first seen together. objects: the others, and whether what is below them are
    the fields of a person. may_label: whether one of them may say what another is.
    """

    leaves: tuple[str, ...]
    objects: tuple[tuple[str, bool], ...]
    may_label: bool

    def single(self, objects: Sequence[dict[str, Any]]) -> Iterator[Any]:
        """What stands under the leaves of objects with these names."""
        if not self.objects:
            return chain.from_iterable(map(dict.values, objects))
        if len(self.leaves) < 2:
            return (one[name] for one in objects for name in self.leaves)
        return chain.from_iterable(map(itemgetter(*self.leaves), objects))


_Shapes = dict[tuple[str, ...], _Names | None]  # names as they come together -> None where one of them is personal


class SuspiciousObjects:
    """Finds them. Thread-safe."""

    def __init__(
        self,
        names: Mapping[str, tuple[str, Name]],
        texts: Mapping[str, str],
        label: Callable[[Mapping[str, Any]], str | None],
    ) -> None:
        """names: name -> as it is shown, and what it says. texts: text -> as it is shown. label: the kind that an object says its id is of."""
        self._names, self._texts, self._label = names, texts, label
        self._shapes: dict[bool, _Shapes] = {False: {}, True: {}}
        self._harmless: set[Any] = set(_ALWAYS_HARMLESS)
        self._harmless_texts: dict[bool, set[bytes]] = {False: set(), True: set()}

    def among(self, objects: Sequence[Any], texts: Sequence[bytes], *, is_person: bool = False) -> set[int]:
        """Positions of suspicious objects, and of arrays that hold one. texts: each as JSON. is_person: their fields are those of a person.

        What was harmless before is so again.
        """
        known = self._harmless_texts[is_person]
        if known.issuperset(texts):
            return set()
        asked = [number for number, text in enumerate(texts) if len(text) >= _LONGEST or text not in known]
        found = self._unseen([objects[number] for number in asked], is_person=is_person)
        suspicious = {asked[place] for place in found}
        if len(known) >= _MOST_TEXTS:
            known.clear()
        known.update(text for number in asked if len(text := texts[number]) < _LONGEST and number not in suspicious)
        return suspicious

    def _unseen(self, values: Sequence[Any], *, is_person: bool) -> set[int]:
        """The same of what was not seen before: of an array by all that is in it."""
        if set(map(type, values)) == {dict}:
            return self._by_names(values, is_person=is_person)
        suspicious: set[int] = set()
        owners: list[int] = []
        objects: list[dict[str, Any]] = []
        for number, value in enumerate(values):
            for one in (value,) if value.__class__ is dict else _unpacked(value):
                if one.__class__ is dict:
                    owners.append(number)
                    objects.append(one)
                elif one not in self._harmless and not self._is_harmless(one):
                    suspicious.add(number)
        return suspicious.union(owners[number] for number in self._by_names(objects, is_person=is_person))

    def _by_names(self, objects: Sequence[dict[str, Any]], *, is_person: bool) -> set[int]:
        """The same of objects: those with the same names together."""
        suspicious: set[int] = set()
        below: dict[bool, tuple[list[int], list[Any]]] = {False: ([], []), True: ([], [])}
        shapes = self._shapes[is_person]
        for keys, numbers in _alike(objects).items():
            alike = [objects[number] for number in numbers]
            if keys not in shapes:
                self._keep(shapes, keys, self._together(alike[0], is_person=is_person))
            names = shapes.get(keys)
            if names is None:
                suspicious.update(numbers)
                continue
            if (found := self._by_values(alike, names)) is None:
                shapes.pop(keys, None)  # what stands under these names is not what it was: they are asked again
                suspicious.update(numbers)
                continue
            suspicious.update([numbers[number] for number in found])
            for name, of_person in names.objects:
                owners, values = below[of_person]
                owners += numbers
                values += map(itemgetter(name), alike)
        for of_person, (owners, values) in below.items():
            found = self.among(values, json_texts(values), is_person=of_person)
            suspicious.update([owners[number] for number in found])
        return suspicious

    def _by_values(self, objects: Sequence[dict[str, Any]], names: _Names) -> set[int] | None:
        """Of objects with the same names, by their single values; None where an object or an array stands in the place of one."""
        try:
            new = set(names.single(objects)) - self._harmless
        except TypeError:
            return None
        suspicious: set[int] = set()
        if names.may_label:
            suspicious.update(number for number, one in enumerate(objects) if self._label(one) is not None)
        if harmful := {value for value in new if not self._is_harmless(value)}:
            told = enumerate(objects)
            suspicious.update(number for number, one in told if any(one[name] in harmful for name in names.leaves))
        return suspicious

    def _is_harmless(self, value: Any) -> bool:
        """Of a single value. Numbers that are equal are one here, and so are 1 and true."""
        if value.__class__ is str:
            is_harmless = self._texts[value] == value
        elif value.__class__ is int or value.__class__ is float:
            is_harmless = abs(value) < _BELOW_ANY_CARD
        else:
            return False
        if is_harmless and (value.__class__ is not str or len(value) < _LONGEST):
            if len(self._harmless) >= _MOST_VALUES:
                self._harmless = set(_ALWAYS_HARMLESS)
            self._harmless.add(value)
        return is_harmless

    def _together(self, sent: Mapping[str, Any], *, is_person: bool) -> _Names | None:
        """What the names of an object say together; None where one of them is personal."""
        for name in sent:
            shown, says = self._names[name]
            if shown != name or says.kind is not None or (is_person and says.is_part):
                return None
        return _Names(
            leaves=tuple(name for name, value in sent.items() if not is_nested(value)),
            objects=tuple((name, self._names[name][1].is_person) for name, value in sent.items() if is_nested(value)),
            may_label=any(name in sent for name in LABELLED) and any(name in sent for name in LABELS),
        )

    @staticmethod
    def _keep(shapes: _Shapes, keys: tuple[str, ...], names: _Names | None) -> None:
        if len(shapes) >= _MOST_SHAPES:
            shapes.clear()
        if len(keys) < _MOST_NAMES:
            shapes[keys] = names


def _alike(objects: Sequence[dict[str, Any]]) -> dict[tuple[str, ...], list[int]]:
    """Positions of objects, by their names."""
    alike: dict[tuple[str, ...], list[int]] = defaultdict(list)
    for number, keys in enumerate(map(tuple, objects)):
        alike[keys].append(number)
    return alike


def _unpacked(value: Any) -> Iterator[Any]:
    """What an array holds, and the arrays in it; anything else itself."""
    if value.__class__ is list:
        for one in value:
            yield from _unpacked(one)
    else:
        yield value
