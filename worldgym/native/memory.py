"""Keeps memory that a process has freed in that process: on glibc, large tensors otherwise cost a
page fault every 4 KiB.

Measured: a training step of the bundled world takes 1.2 s with this and several times that without
(benchmarks/). It also uses pages of 2 MiB where the system has them: rollouts were about a tenth
faster, because fewer addresses have to be looked up (TLB misses) (docs/performance.md).
"""

from __future__ import annotations

import ctypes
import sys

_TRIM_THRESHOLD, _TOP_PAD, _MMAP_THRESHOLD = -1, -2, -3  # malloc.h
_LARGE = 2**31 - 1
_PAD = 2**28
_HEAP, _PAGE, _MADV_HUGEPAGE = 2**30, 2**21, 14  # the last from sys/mman.h


def keep_freed_memory() -> None:
    """Tells glibc's allocator to reuse rather than return memory. Does nothing on other systems."""
    if not sys.platform.startswith("linux"):
        return
    try:
        libc = ctypes.CDLL("libc.so.6")
        mallopt = libc.mallopt
    except (OSError, AttributeError):  # another C library
        return
    for option, value in ((_MMAP_THRESHOLD, _LARGE), (_TRIM_THRESHOLD, _LARGE), (_TOP_PAD, _PAD)):
        mallopt(option, value)
    _use_large_pages(libc)


def _use_large_pages(libc: ctypes.CDLL) -> None:
    """For the first GiB of the heap: addresses are reserved, marked and returned to the allocator;
    this uses no memory."""
    libc.malloc.restype = ctypes.c_void_p
    libc.malloc.argtypes = [ctypes.c_size_t]
    libc.free.argtypes = [ctypes.c_void_p]
    libc.madvise.argtypes = [ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int]
    heap = libc.malloc(_HEAP)
    if heap is None:  # too little address space for this to matter
        return
    first = -(-heap // _PAGE) * _PAGE
    libc.madvise(first, heap + _HEAP - first, _MADV_HUGEPAGE)
    libc.free(heap)
