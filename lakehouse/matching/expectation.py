"""Expectation maximisation over all candidate pairs: of one person, of two people who live together, of two strangers.

Without the middle kind, couples and families pass for matches: they agree on family name, address and landline, and what a
match looks like is then learned from them. The three kinds of pairs are those of Winkler, W. (1993), Improved Decision Rules in
the Fellegi-Sunter Model of Record Linkage, and of Larsen, M. and Rubin, D. (2001), Iterative Automated Record Linkage Using
Mixture Models. EM: Dempster, A. et al. (1977).

Two people who live together agree on a value as two records of one person do if they share it, and by chance if not. How often
each is shared is found from the pairs. Given names and birthdays are the anchor: two people rarely share those, whatever the
data say (namesakes, twins). It is what keeps the kinds apart.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from lakehouse.matching import fields as kinds
from lakehouse.matching.fields import ADDRESS, DATE, FAMILY_NAME, GIVEN_NAME, Field
from lakehouse.matching.levels import GENERATION, levels
from lakehouse.matching.model import HOUSEHOLD, Sharing
from lakehouse.matching.splink_start import Start, cautious

PERSONAL = (GIVEN_NAME, DATE)
"""Kinds that tell two people of one household apart."""

_ROUNDS = 200
_SETTLED = 1e-5  # largest change of a probability in one more round
_UNSEEN = 0.5  # expected matches
_LEAST_ELSE = 0.005
_GUESSED = 20.0  # matches that the cautious guess counts for
_EVIDENT = 0.05  # pairs of a household to a match
_DOOR = "door"


@dataclass(frozen=True, kw_only=True)
class _Guess:
    """How often something is shared: the first guess, how many pairs it counts for, and what it stays between."""

    share: float
    pairs: float = 2.0
    least: float = 0.0
    most: float = 1.0


# What is a person's own: namesakes in a household, twins. Neighbours have it in common by chance alone: those who have given name
# and birthday in common are one person, badly written down.
_OWN = {
    HOUSEHOLD: _Guess(share=0.02, pairs=20.0, least=0.02, most=0.3),
    _DOOR: _Guess(share=0.02, least=0.02, most=0.02),
}
# A door: neighbours, of different names. A household has a family name, or it would be everybody of a town.
_SHARED = {
    HOUSEHOLD: {
        FAMILY_NAME: _Guess(share=0.9, least=0.5),
        ADDRESS: _Guess(share=0.9),
        kinds.EMAIL: _Guess(share=0.2),
    },
    _DOOR: {
        FAMILY_NAME: _Guess(share=0.02),
        ADDRESS: _Guess(share=0.9),
        kinds.EMAIL: _Guess(share=0.02),
        kinds.PHONE: _Guess(share=0.1),
    },
}
_OTHERWISE = _Guess(share=0.5)
Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]


@dataclass(frozen=True, kw_only=True)
class Patterns:
    """Distinct patterns of agreement: levels [patterns, fields], how many pairs have each, and which one each pair has.

    A level is a number, the strongest 0; -1 where a side has no value.
    """

    levels: Ints
    pairs: Floats
    of_pair: Ints


@dataclass(frozen=True, kw_only=True)
class Fitted:
    """m per field and level, prior, sharing; and of every candidate pair, in order, the probability that it is one person.

    `together`: expected pairs of two people who share what a household shares.
    """

    m: list[Floats]
    prior: float
    sharing: tuple[Sharing, ...]
    probability: Floats
    together: float


def fit(patterns: Patterns, begun: Start, fields: Sequence[Field], records: int) -> Fitted:
    """Expectation maximisation; u stays what random pairs say, and pairs not compared are two strangers.

    Where hardly any pair is of a household there are two kinds of pairs, as if nobody had asked: a few of one person, full of
    mistakes, look like a household, too.
    """
    found = _fit(patterns, begun, records, fields, _guesses(fields, _are_own(fields, begun.u)))
    is_evident = any(one.prior >= _EVIDENT * found.prior for one in found.sharing if one.name == HOUSEHOLD)
    return found if is_evident else _fit(patterns, begun, records, fields, {})


def _fit(
    patterns: Patterns,
    begun: Start,
    records: int,
    fields: Sequence[Field],
    guesses: Mapping[str, Sequence[_Guess]],
) -> Fitted:
    possible, is_own = records * (records - 1) / 2, _are_own(fields, begun.u)
    m, prior = [values.copy() for values in begun.m], min(0.5, 1 / records)
    for index in np.flatnonzero(is_own) if guesses else ():
        m[index] = cautious(len(m[index]))  # what splink saw in blocks of one family name or street are couples as well
    sharing = [
        Sharing(name=name, prior=prior / 2, shared=tuple(guess.share for guess in of_fields))
        for name, of_fields in guesses.items()
    ]
    for _ in range(_ROUNDS):
        before = _numbers(m, sharing)
        ratios = [ms / us for ms, us in zip(m, begun.u, strict=True)]
        one_person, *together = _posterior(patterns, ratios, prior, sharing)
        believed = one_person * patterns.pairs
        m = [_shares(_counts(patterns, index, believed), us) for index, us in enumerate(begun.u)]
        if guesses:
            m = _wary_of_parents(fields, m, begun.u)
        prior = float(min(max(believed.sum(), 0.5) / possible, 0.5))
        sharing = [
            Sharing(
                name=one.name,
                prior=float(min(max((likely * patterns.pairs).sum(), 1e-6) / possible, 0.2)),
                shared=tuple(_shared(patterns, ratios, one.shared, guesses[one.name], likely * patterns.pairs)),
            )
            for one, likely in zip(sharing, together, strict=True)
        ]
        if np.abs(_numbers(m, sharing) - before).max() < _SETTLED:
            break
    return Fitted(
        m=m,
        prior=prior,
        sharing=tuple(sharing),
        probability=one_person[patterns.of_pair],
        together=float(sum((likely * patterns.pairs).sum() for likely in together)),
    )


def _are_own(fields: Sequence[Field], u: Sequence[Floats]) -> list[bool]:
    """By field, whether it is a person's own: of PERSONAL kinds, and a code that is rarer than any address."""
    rarest = min((us[0] for field, us in zip(fields, u, strict=True) if field.kind == ADDRESS), default=0.0)
    return [
        field.kind in PERSONAL or (field.kind == kinds.CODE and us[0] < rarest)
        for field, us in zip(fields, u, strict=True)
    ]


def _guesses(fields: Sequence[Field], is_own: Sequence[bool]) -> dict[str, list[_Guess]]:
    """Kind of sharing -> by field, a guess; none where no field tells two people of a household apart."""
    if not any(field.kind in PERSONAL for field in fields):
        return {}
    return {
        name: [
            _OWN[name] if own else shared.get(field.kind, _OTHERWISE) for field, own in zip(fields, is_own, strict=True)
        ]
        for name, shared in _SHARED.items()
    }


def _numbers(m: Sequence[Floats], sharing: Sequence[Sharing]) -> Floats:
    return np.concatenate([*m, *(np.array(one.shared) for one in sharing)])


def _posterior(
    patterns: Patterns, ratios: Sequence[Floats], prior: float, sharing: Sequence[Sharing]
) -> Iterator[Floats]:
    """By pattern: the probability of one person, and of each kind of sharing."""
    odds = [np.full(len(patterns.pairs), np.log(prior))]
    odds += [np.full(len(patterns.pairs), np.log(one.prior)) for one in sharing]
    for index, ratio in enumerate(ratios):
        levels = patterns.levels[:, index]
        odds[0] += np.append(np.log(ratio), 0.0)[levels]  # level -1: no evidence
        for row, one in enumerate(sharing, start=1):
            odds[row] += np.append(np.log(1 - one.shared[index] + one.shared[index] * ratio), 0.0)[levels]
    strangers = np.log(1 - prior - sum(one.prior for one in sharing))
    highest = np.maximum(np.max(odds, axis=0), strangers)
    shares = [np.exp(row - highest) for row in odds]
    total = sum(shares) + np.exp(strangers - highest)
    yield from (share / total for share in shares)


def _counts(patterns: Patterns, index: int, expected: Floats) -> Floats:
    """Expected pairs per level of a field."""
    levels = patterns.levels[:, index]
    return np.bincount(levels[levels >= 0], weights=expected[levels >= 0]).astype(np.float64)


def _shared(
    patterns: Patterns,
    ratios: Sequence[Floats],
    shared: Sequence[float],
    guesses: Sequence[_Guess],
    expected: Floats,
) -> Iterator[float]:
    """By field, the share of the expected pairs that agree because the value is shared, not by chance."""
    for index, (ratio, before, guess) in enumerate(zip(ratios, shared, guesses, strict=True)):
        counts = _counts(patterns, index, expected)
        ratio = ratio[: len(counts)]
        is_shared = before * ratio / (1 - before + before * ratio)
        found = ((counts * is_shared).sum() + guess.pairs * guess.share) / (counts.sum() + guess.pairs)
        yield min(max(float(found), guess.least), guess.most)


def _wary_of_parents(fields: Sequence[Field], m: Sequence[Floats], u: Sequence[Floats]) -> list[Floats]:
    """M where people live together: birthdays of parent and child say no less against one person than any others that disagree.

    Father and son of one name and address would else teach that a person's birthdays differ like theirs.
    """
    held = [values.copy() for values in m]
    for index, field in enumerate(fields):
        if field.kind == DATE:
            place = [label for label, _ in levels(fields, index)].index(GENERATION)
            held[index][place] = min(m[index][place], u[index][place] * m[index][-1] / u[index][-1])
    return held


def _shares(counts: Floats, u: Floats) -> Floats:
    """Expected matches per level -> m. A level that no match is expected at says nothing: its m is its u.

    The last level, no agreement at all, has a least share: nothing is ever filled in without a mistake. Few matches weigh
    little against the cautious guess: among people of whom nobody is there twice, EM would else take the oddest coincidence
    for what a match looks like.
    """
    counts = np.pad(counts, (0, len(u) - len(counts)))
    shares = np.where(counts < _UNSEEN, u, counts / max(counts.sum(), 1e-9))
    shares[-1] = max(counts[-1] / max(counts.sum(), 1e-9), _LEAST_ELSE)
    total = counts.sum()
    result: Floats = (total * shares / shares.sum() + _GUESSED * cautious(len(u))) / (total + _GUESSED)
    return result
