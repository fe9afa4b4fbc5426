"""How many threads the compiled passes may take when this thread calls them: one, unless it says
otherwise.

Apart from torch's number: torch's own threads wait for work on the cores that ours compute on (a
frame took ten times as long)."""

from __future__ import annotations

import threading

import torch


class _Allowance(threading.local):
    threads = 1


_allowance = _Allowance()


def allow_threads(threads: int) -> None:
    """For the calling thread, which from now on is the only one in torch's own operations."""
    torch.set_num_threads(1)
    _allowance.threads = threads


def allowed_threads() -> int:
    return _allowance.threads
