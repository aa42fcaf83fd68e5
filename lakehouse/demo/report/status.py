"""The live line in the terminal while a run goes on: phase, counts, bars, rate.

On a terminal one line is redrawn in place; anywhere else (a file, CI) a plain line is printed every few seconds.
"""

import sys
import time
from collections import deque
from collections.abc import Callable, Mapping
from shutil import get_terminal_size
from types import TracebackType
from typing import Self, TextIO

LAYERS = ("bronze", "silver", "gold")
BAR_CELLS = 10
REDRAW_SECONDS = 0.1  # faster than this only flickers
RATE_SECONDS = 5.0  # the rate is the mean over this long
CLEAR = "\r\x1b[2K"


class StatusLine:
    """One line about a run. Counts only ever replace what was given before; what was not given is not shown.

    `stream`: where to; `clock`: seconds that never go back; `width`: columns of the terminal; `interval_seconds`:
    between two plain lines.
    """

    def __init__(
        self,
        stream: TextIO | None = None,
        *,
        clock: Callable[[], float] = time.monotonic,
        width: Callable[[], int] = lambda: get_terminal_size().columns,
        interval_seconds: float = 5.0,
    ) -> None:
        self.stream = sys.stderr if stream is None else stream
        self.clock = clock
        self.width = width
        self.is_live = self.stream.isatty()
        self.interval = REDRAW_SECONDS if self.is_live else interval_seconds
        self.started = clock()
        self.phase = ""
        self.counts: dict[str, int] = {}
        self._history: deque[tuple[float, int]] = deque()
        self._drawn_at: float | None = None
        self._drawn = ""

    def update(
        self,
        *,
        produced: int | None = None,
        bronze: int | None = None,
        silver: int | None = None,
        gold: int | None = None,
        phase: str | None = None,
    ) -> None:
        """Take in what is given and show it, unless something was shown a moment ago. Records, since the run began."""
        given = {"produced": produced, "bronze": bronze, "silver": silver, "gold": gold}
        self.counts |= {name: value for name, value in given.items() if value is not None}
        self.phase = self.phase if phase is None else phase
        now = self.clock()
        self._remember(now)
        if self._drawn_at is None or now - self._drawn_at >= self.interval:
            self._draw(now)

    def note(self, words: str) -> None:
        """Print a line that stays, above the live one."""
        self.stream.write(f"{CLEAR if self.is_live else ''}{words}\n")
        if self.is_live and self._drawn_at is not None:
            self.stream.write(self._drawn)
        self.stream.flush()

    def close(self) -> None:
        """Show the last state and leave the line. May be called twice."""
        if not (self.phase or self.counts):
            return
        now = self.clock()
        if self.is_live:
            self._draw(now)
            self.stream.write("\n")
        elif self._line(now) != self._drawn:
            self._draw(now)
        self.stream.flush()
        self.phase, self.counts = "", {}

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

    def _remember(self, now: float) -> None:
        """Keep the furthest layer's count over the last RATE_SECONDS."""
        name = next((layer for layer in reversed(LAYERS) if layer in self.counts), "produced")
        self._history.append((now, self.counts.get(name, 0)))
        while len(self._history) > 2 and now - self._history[1][0] >= RATE_SECONDS:
            self._history.popleft()

    def _draw(self, now: float) -> None:
        line = self._line(now)
        self.stream.write(f"{CLEAR}{line}" if self.is_live else f"{line}\n")
        self.stream.flush()
        self._drawn_at, self._drawn = now, line

    def _line(self, now: float) -> str:
        width = self.width() - 1 if self.is_live else 200  # the last column makes some terminals wrap
        return fit(_pieces(self.phase, now - self.started, self.counts, self._rate(), self._blocks()), width)

    def _rate(self) -> float:
        """Records per second at the furthest layer that is counted; 0 until there are two looks at it."""
        (then, before), (now, after) = (self._history[0], self._history[-1]) if self._history else ((0.0, 0), (0.0, 0))
        return max(after - before, 0) / (now - then) if now > then else 0.0

    def _blocks(self) -> str:
        """Full and empty cell of a bar, as the stream's encoding allows; no bars where lines are kept."""
        if not self.is_live:
            return ""
        encoding = (getattr(self.stream, "encoding", None) or "ascii").lower().replace("-", "")
        return "█░" if encoding.startswith("utf") else "#."


def _pieces(phase: str, elapsed: float, counts: Mapping[str, int], rate: float, blocks: str) -> list[str]:
    """The parts of the line, most important first."""
    minutes, seconds = divmod(int(elapsed), 60)
    pieces = [f"{minutes}:{seconds:02d} {phase}".rstrip()]
    produced = counts.get("produced", 0)
    if "produced" in counts:
        pieces.append(f"produced {produced:,}")
    for layer in LAYERS:
        if layer in counts:
            done = min(counts[layer] / produced, 1.0) if produced else 0.0
            drawn = f"{bar(done, blocks)} " if blocks else ""
            pieces.append(f"{layer} {drawn}{counts[layer]:,}")
    if rate >= 1:
        pieces.append(f"{rate:,.0f}/s")
    return pieces


def bar(done: float, blocks: str = "█░") -> str:
    """A bar of BAR_CELLS cells; full only when all is done, empty only when nothing is.

    >>> bar(0.0, "#."), bar(0.001, "#."), bar(0.999, "#."), bar(1.0, "#.")
    ('..........', '#.........', '#########.', '##########')
    """
    full = round(done * BAR_CELLS)
    if 0 < done < 1:
        full = min(max(full, 1), BAR_CELLS - 1)
    return blocks[0] * full + blocks[1] * (BAR_CELLS - full)


def fit(pieces: list[str], width: int) -> str:
    """As many whole pieces as a line of `width` columns holds, two blanks apart; the first is cut if it must be.

    >>> fit(["0:12 stream", "bronze 10", "silver 9"], 24)
    '0:12 stream  bronze 10'
    """
    line = pieces[0][: max(width, 0)]
    for piece in pieces[1:]:
        if len(line) + 2 + len(piece) > width:
            break
        line += "  " + piece
    return line
