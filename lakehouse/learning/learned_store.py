"""A policy's sums in the online store, and the exposures that wait to be counted. Any process counts them, each once.

The sums are one document, `b:<policy>`. Whoever counts reads it, adds what was due since, and writes the next version; where another was
faster nothing is written, and it is read again. Only then is what was counted taken off the timeline: who dies in between
leaves entries that the document already says are counted. So no process needs a name, and none can lose or double a count.
"""

import logging
from collections.abc import Sequence
from dataclasses import replace

import orjson

from lakehouse.bandits.learned import Learned, Mark, Settled
from lakehouse.bandits.state import LINUCB, THOMPSON, BanditState, Policy
from lakehouse.config import ServingConfig
from lakehouse.errors import ModelError, StoreError
from lakehouse.learning.exposure import WAITING, kept_until, settled, waiting
from lakehouse.learning.logged_exposures import LoggedExposures
from lakehouse.learning.reward import Outcome, Reward, outcome_key
from lakehouse.online.store import Document, Entry, OnlineStore

log = logging.getLogger("stitchlake.learning")
FEATURES = 8
SETTLE_MS = 60_000  # after it is due: clocks of several machines, and an outcome that is being written
_AT_ONCE = 500
_MOST_WAITING = 2**31  # a timeline keeps its newest entries: of these none may go


def policy_of(config: ServingConfig) -> Policy:
    """The policy that is configured, and learns; greedy and uplift have the sums of Thompson sampling."""
    is_linucb = config.policy == LINUCB
    return Policy(kind=LINUCB if is_linucb else THOMPSON, features=FEATURES if is_linucb else 0, explore=config.explore)


class LearnedStore:
    """`store`: one that survives a restart of the machine. Every method raises StoreError when it does not answer."""

    def __init__(self, store: OnlineStore, policy: Policy, reward: Reward) -> None:
        direction = "higher" if reward.is_higher_better else "lower"
        self.key = f"b:{policy.kind}:{policy.features}:{reward.metric}:{direction}"
        self._store = store
        self._policy = policy
        self._reward = reward

    def read(self) -> Learned:
        """What was learned; nothing yet where nothing was ever counted.

        Raises:
            ModelError: it cannot be read. It is not written over: batch/learned_policy.py builds it again.
        """
        (value,) = self._store.get([self.key])
        if value is None:
            return Learned(state=BanditState(self._policy))
        try:
            return Learned.from_json(orjson.loads(value), self._policy)
        except orjson.JSONDecodeError as error:
            raise ModelError(f"online store: {self.key} cannot be read: {error}. Build it again") from error

    def write(self, learned: Learned) -> bool:
        """The next version; False: another process has written meanwhile."""
        return self._store.put([Document(self.key, learned.version, orjson.dumps(learned.to_json()))]) == 1

    def wait(self, entries: Sequence[Entry]) -> None:
        """Have exposures counted when they are due; the same again changes nothing."""
        self._store.append({WAITING: entries}, keep=_MOST_WAITING)

    def settle(self, now_ms: int) -> Learned:
        """Count what is due by now; all that was learned. Raises ModelError as `read`."""
        while True:
            due = self._store.until(WAITING, now_ms - SETTLE_MS, _AT_ONCE)
            held = self.read()
            learned = held.counted(self._settled([entry for entry in due if (entry.at_ms, entry.id) > held.through]))
            if learned.version != held.version and not self.write(learned):
                continue
            self._store.remove(WAITING, [entry.id for entry in due])
            if len(due) < _AT_ONCE:
                return learned

    def rebuild(self, logged: LoggedExposures, now_ms: int) -> Learned:
        """Set what was learned to what the decision log tells, up to where it was counted; have the rest wait again.

        A state that cannot be read is written over; where there is none, all that is due is counted.
        """
        while True:
            try:
                held = self.read()
            except ModelError:  # nobody else writes over it, so its version may be passed
                held = Learned(state=BanditState(self._policy), through=(now_ms - SETTLE_MS, ""), version=now_ms)
            through = held.through if held.version else (now_ms - SETTLE_MS, "")
            learned = replace(self.of_log(logged, through), through=through, version=held.version + 1)
            if self.write(learned):
                break
        later = [one for one in logged.exposures if one.mark > through]
        self._store.put(
            logged.outcomes[one.decision_id].document(
                one.decision_id, self._reward.metric, kept_until(one.due_ms, self._reward)
            )
            for one in later
            if one.decision_id in logged.outcomes
        )
        self.wait([waiting(one) for one in later])
        return learned

    def of_log(self, logged: LoggedExposures, through: Mark) -> Learned:
        """What a policy that has counted up to `through` has learned, as the decision log tells."""
        return Learned(state=BanditState(self._policy)).counted(one for one in logged.exposures if one.mark <= through)

    def _settled(self, entries: Sequence[Entry]) -> list[Settled]:
        keys = [outcome_key(entry.id, self._reward.metric) for entry in entries]
        found = []
        for entry, value in zip(entries, self._store.get(keys), strict=True):
            try:
                outcome = None if value is None else Outcome.decode(value)
                found.append(settled(entry, outcome, self._reward))
            except StoreError as error:
                log.warning("%s: it is not learned from", error)
        return found
