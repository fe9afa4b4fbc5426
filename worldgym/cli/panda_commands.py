"""Commands of the second reference world, robosuite's Panda."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from pathlib import Path

from worldgym.io.text import amount


@dataclass(frozen=True)
class RecordPanda:
    """Record episodes of robosuite's Panda (lift, stack, can) with a front and a wrist camera:
    experts, disturbed experts, near misses. Resumes. Needs robosuite, see docs/panda.md."""

    out: Path
    episodes: int = 400
    """episodes per task"""
    first_seed: int = 0
    """seeds from 10000 on are for evaluation only"""
    tasks: tuple[str, ...] = ()
    """default: all"""
    size: int = 96
    """height and width of both views, in pixels"""
    processes: int = 0
    """0 = one per core"""

    def __call__(self) -> None:
        from worldgym.reference.panda import PANDA_TASKS
        from worldgym.reference.panda_record import PandaRecordConfig, record_panda

        tasks = self.tasks or tuple(PANDA_TASKS)
        store = record_panda(
            PandaRecordConfig(
                self.out, self.episodes, self.first_seed, tasks, self.size, self.processes
            )
        )
        print(f"{store.root}: {amount(len(store), 'episode')}, views {', '.join(store.views)}")
        for task in tasks:
            own = [info for info in store if info.extras.get("task") == task]
            moved = Counter(str(info.extras.get("behaviour")) for info in own)
            told = ", ".join(f"{name} {count}" for name, count in sorted(moved.items()))
            print(f"  {task}: {sum(bool(i.success) for i in own)} of {len(own)} succeed ({told})")
