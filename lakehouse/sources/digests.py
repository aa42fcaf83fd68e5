"""A set of digests, sixteen bytes each in memory, so that a hundred million fit. Many are asked for at once."""

import hashlib
from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

BYTES = 16  # two things that have so much in common are one, as surely as anything is
_KIND = f"S{BYTES}"


def digest(of: bytes) -> bytes:
    return hashlib.blake2b(of, digest_size=BYTES).digest()


class Digests:
    """Runs in order, each more than twice as long as the next, so that a few more do not sort all of them again."""

    def __init__(self) -> None:
        self._runs: list[Any] = []

    def __bool__(self) -> bool:
        return bool(self._runs)

    def add(self, digests: bytearray) -> None:
        """Many, one behind the other; the bytes are this set's from now on."""
        if not digests:
            return
        run = np.frombuffer(digests, _KIND)
        run.sort()
        while self._runs and len(self._runs[-1]) <= 2 * len(run):
            run = np.concatenate([self._runs.pop(), run])
            run.sort(kind="stable")  # of two that are in order: it merges them
        self._runs.append(run)

    def have(self, wanted: Sequence[bytes]) -> "npt.NDArray[np.bool_]":
        """Of each whether it is there. numpy takes zeros at an end for nothing, here as there."""
        found = np.zeros(len(wanted), bool)
        sought = np.frombuffer(b"".join(wanted), _KIND)
        for run in self._runs:
            at = np.searchsorted(run, sought)
            at[at == len(run)] = 0
            found |= run[at] == sought
        return found
