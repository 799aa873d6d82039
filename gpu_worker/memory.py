"""Memory that is freed stays with the process.

Whisper's encoder on a CPU allocates and frees hundreds of megabytes per layer. glibc gives such blocks back
to the kernel at once and gets them again page by page: with the fixture model that was 45 % of all CPU time.
"""

import ctypes
from typing import Final

_TRIM_THRESHOLD, _MMAP_MAX, _ARENA_MAX = -1, -4, -8  # malloc.h of glibc
_NEVER_TRIM: Final = 2**31 - 1


def keep_freed_memory() -> bool:
    """False where the C library has no mallopt, as on macOS.

    Call it before the threads that allocate are started.
    """
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is None:
        return False
    # One arena: those of threads cannot hold blocks of more than 64 MB, and would map them after all.
    return all(
        mallopt(option, value) == 1
        for option, value in ((_MMAP_MAX, 0), (_TRIM_THRESHOLD, _NEVER_TRIM), (_ARENA_MAX, 1))
    )
