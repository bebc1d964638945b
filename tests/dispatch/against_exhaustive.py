"""Random small problems: is the engine ever better than looking at every plan, how often as good?

    python -m tests.dispatch.against_exhaustive --problems 1000

It is never better unless a checker is wrong; the goal for equal ones is 99 %.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Iterator
from dataclasses import dataclass

from dispatch import check, solve
from tests.dispatch.exhaustive import cheapest, random_problem


@dataclass(frozen=True)
class Comparison:
    """What one problem costs at least, and what the engine's plan costs."""

    seed: int
    least: int
    found: int

    @property
    def is_equal(self) -> bool:
        """Whether the engine found a cheapest plan."""
        return self.least == self.found

    @property
    def is_impossible(self) -> bool:
        """Whether the engine's plan costs less than any plan can."""
        return self.found < self.least


def compare(first: int, problems: int, *, iterations: int) -> Iterator[Comparison]:
    """Yield the comparison of each problem; raises where a plan breaks a rule."""
    for seed in range(first, first + problems):
        problem = random_problem(seed)
        plan = solve(problem, iterations=iterations, seed=1)
        violations = check(problem, plan)
        if violations:
            raise AssertionError(f"problem {seed}: {violations[0]}")
        yield Comparison(seed, cheapest(problem)[0], plan.totals.cost)


def main() -> None:
    """Print those that differ, and the sums."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--problems", type=int, default=1000)
    parser.add_argument("--first", type=int, default=0, help="the first problem's seed")
    parser.add_argument("--iterations", type=int, default=20000)
    given = parser.parse_args()
    begun = time.monotonic()
    equal = worse = better = 0
    for each in compare(given.first, given.problems, iterations=given.iterations):
        equal += each.is_equal
        better += each.is_impossible
        worse += each.found > each.least
        if not each.is_equal:
            print(f"problem {each.seed}: least {each.least}, found {each.found}", flush=True)
    seconds = time.monotonic() - begun
    share = 100 * equal / given.problems
    print(f"equal {equal} ({share:.1f} %), worse {worse}, better {better}, {seconds:.0f} s")


if __name__ == "__main__":
    main()
