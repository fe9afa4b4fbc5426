"""A set of trials that takes one bit each."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Set

from worldgym.io.attempts import TrialKey


class TrialSet(Set[TrialKey]):
    """Trials by policy, task and repeat. Repeats of one task are the bits of one number, so that a
    run of a million trials takes a few megabytes."""

    def __init__(self, keys: Iterable[TrialKey] = ()) -> None:
        self._bits: dict[str, dict[str, int]] = defaultdict(dict)
        self._size = 0
        for key in keys:
            self.add(key)

    def add(self, key: TrialKey) -> None:
        policy, task, repeat = key
        tasks = self._bits[policy]
        before = tasks.get(task, 0)
        after = before | 1 << repeat
        if after != before:
            tasks[task] = after
            self._size += 1

    def __contains__(self, key: object) -> bool:
        if not isinstance(key, tuple) or len(key) != 3:
            return False
        policy, task, repeat = key
        return bool(self._bits.get(policy, {}).get(task, 0) >> repeat & 1)

    def __iter__(self) -> Iterator[TrialKey]:
        for policy, tasks in self._bits.items():
            for task, bits in tasks.items():
                yield from ((policy, task, i) for i in range(bits.bit_length()) if bits >> i & 1)

    def __len__(self) -> int:
        return self._size


class AttemptCounts:
    """How often each trial was tried, and which of them finished. Trials that finish at once, as
    nearly all do, take one bit each."""

    def __init__(self) -> None:
        self.done = TrialSet()
        self._more = Counter[TrialKey]()  # beside the first attempt that finished

    def add(self, key: TrialKey, finished: bool) -> None:
        if finished and key not in self.done:
            self.done.add(key)
        else:
            self._more[key] += 1

    def __getitem__(self, key: TrialKey) -> int:
        return self._more.get(key, 0) + (key in self.done)
