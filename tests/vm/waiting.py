# SPDX-License-Identifier: Apache-2.0
"""Waiting for things with a deadline.

The terminals run on an emulated processor on a machine that has other work, so the same step takes one second today
and twenty tomorrow. Nothing here sleeps "long enough": one asks until the answer is there or the deadline is over.
"""
from __future__ import annotations

import time
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")


class Timeout(AssertionError):
    """Something did not happen in time. An AssertionError, since in a test that is a finding, not an accident."""


class Deadline:
    """A point in time that is handed down through calls, so that their waits do not add up."""

    def __init__(self, seconds: float) -> None:
        self.seconds = seconds
        self._end = time.monotonic() + seconds

    def left(self) -> float:
        """Seconds left, never below zero."""
        return max(0.0, self._end - time.monotonic())

    def over(self) -> bool:
        return self.left() == 0.0


def wait_for(fn: Callable[[], T], what: str, deadline: float | Deadline = 180.0) -> T:
    """Calls `fn` until it returns something true, and returns that.

    `what` completes the sentence "waited N s for ...". Between the calls it pauses, shortly at first.
    """
    limit = deadline if isinstance(deadline, Deadline) else Deadline(deadline)
    pause = 0.02
    while True:
        result = fn()
        if result:
            return result
        if limit.over():
            raise Timeout(f"waited {limit.seconds:.0f} s for {what}; the last answer was {result!r}")
        time.sleep(min(pause, limit.left()))
        pause = min(pause * 1.5, 0.5)
