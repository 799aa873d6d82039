"""Becomes another program that gets a signal when the launcher dies: `tether.py SIGNAL PARENT PROGRAM…`.

Linux only; elsewhere the program runs untethered. It stands alone, so that it starts in milliseconds, and it
is a program of its own because a process with threads must not run Python between fork and exec.
"""

import ctypes
import os
import sys

PR_SET_PDEATHSIG = 1


def main() -> None:
    signal_number, parent, program = int(sys.argv[1]), int(sys.argv[2]), sys.argv[3:]
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal_number, 0, 0, 0)
        # The launcher may have died before the line above.
        if os.getppid() != parent:
            sys.exit(1)
    os.execvp(program[0], program)  # noqa: S606 (that is the whole point)


if __name__ == "__main__":
    main()
