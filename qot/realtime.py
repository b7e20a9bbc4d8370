"""What the system grants a thread that must wake up on time: timer slack and SCHED_FIFO.

Nothing here is needed to be right, only to be less late; so a refusal is reported, not raised.
"""

from __future__ import annotations

import ctypes
import os
import signal
from dataclasses import dataclass

_PR_SET_PDEATHSIG = 1
_PR_SET_TIMERSLACK = 29
_PR_GET_TIMERSLACK = 30


@dataclass(frozen=True, slots=True)
class Grant:
    """What the calling thread got. Slack None: unknown. fifo_priority 0: a normal thread."""

    timer_slack_ns: int | None
    fifo_priority: int
    refused: str = ""
    """Why there is less than was asked for; empty when there is not."""

    @property
    def fifo(self) -> bool:
        return self.fifo_priority > 0


def _prctl(option: int, value: int = 0) -> int:
    """prctl(2); -1 where there is none."""
    try:
        call = ctypes.CDLL(None, use_errno=True).prctl
    except (AttributeError, OSError, TypeError):
        return -1
    return int(call(option, ctypes.c_ulong(value), 0, 0, 0))


def prepare_thread(fifo_priority: int = 0) -> Grant:
    """Ask for 1 ns of timer slack and, unless 0, for SCHED_FIFO, for the calling thread.

    Children of this thread don't inherit FIFO. The default slack costs a normal thread 50 µs at
    each sleep; the slack needs no privilege, FIFO needs CAP_SYS_NICE or an rtprio limit.
    """
    refusals = []
    if _prctl(_PR_SET_TIMERSLACK, 1) != 0:
        refusals.append("timer slack: this system has no PR_SET_TIMERSLACK")
    slack = _prctl(_PR_GET_TIMERSLACK)
    granted = 0
    if fifo_priority > 0:
        try:
            policy = os.SCHED_FIFO | os.SCHED_RESET_ON_FORK
            os.sched_setscheduler(0, policy, os.sched_param(fifo_priority))
            granted = fifo_priority
        except (AttributeError, OSError) as error:
            refusals.append(f"SCHED_FIFO {fifo_priority}: {error}")
    return Grant(slack if slack >= 0 else None, granted, "; ".join(refusals))


def die_with_parent() -> bool:
    """Have the system end this process when its parent ends. False where it can't.

    Linux takes "parent" to be the *thread* that started this process.
    """
    return _prctl(_PR_SET_PDEATHSIG, signal.SIGTERM) == 0
