"""Long work shows its progress: a bar in a terminal, log lines elsewhere."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import TypeVar

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from marketplace.kernel.log import get_logger

T = TypeVar("T")
Advance = Callable[[int], None]
"""Says that so many more units are done."""

LOG_EVERY_S = 10.0
log = get_logger(__name__)


@contextmanager
def progress(task: str, total: int | None = None) -> Iterator[Advance]:
    """Show a task's progress on standard error while the block runs.

    ``task`` is a short fixed name such as ``load elders.csv``; ``total`` may be unknown. Yields a
    function that is told how many units were done since the last call.
    """
    if sys.stderr.isatty():
        with Progress(
            TextColumn("{task.description}"),
            BarColumn(),
            MofNCompleteColumn(),
            TimeRemainingColumn(elapsed_when_finished=True),
            console=Console(stderr=True),
        ) as bar:
            shown = bar.add_task(task, total=total)
            yield lambda count: bar.advance(shown, count)
        return
    lines = _Lines(task, total)
    yield lines.advance
    lines.finish()


def tracked(items: Iterable[T], task: str, total: int | None = None) -> Iterator[T]:
    """Yield the items and show how many of them were taken."""
    with progress(task, total) as advance:
        for item in items:
            yield item
            advance(1)


class _Lines:
    """One log line every ten seconds and one at the end; short work writes the last one only."""

    def __init__(self, task: str, total: int | None) -> None:
        self._task, self._total, self._done = task, total, 0
        self._begun = self._said = time.monotonic()

    def advance(self, count: int) -> None:
        self._done += count
        if time.monotonic() - self._said >= LOG_EVERY_S:
            self._said = time.monotonic()
            log.info("progress", task=self._task, done=self._done, total=self._total)

    def finish(self) -> None:
        spent = round(time.monotonic() - self._begun, 1)
        log.info("progress_done", task=self._task, done=self._done, seconds=spent)
