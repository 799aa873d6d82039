"""What a run of faults came to: numbers for machines, sentences for people."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from dataclasses import dataclass

from tests.faults import checker, monkey


@dataclass(frozen=True, kw_only=True)
class Report:
    """The end of a run."""

    seed: int
    kills: tuple[monkey.Kill, ...]
    jobs: int
    lost: int
    """Jobs that did not end as an undisturbed one does."""
    duplicated: int
    """Results of steps that were written twice, or lie there twice."""
    repeated_chunks: int
    """Chunks that were worked on again, counted as often as that happened."""
    differences: tuple[checker.Difference, ...]
    """From the undisturbed run; none when the run was clean."""
    seconds_to_end: float
    """From the last kill until every job had ended and nothing was left over."""
    progress_seconds: tuple[float, ...]
    """For each kill at which jobs ran, the time until a step or a chunk ended after it."""

    @property
    def is_clean(self) -> bool:
        return not self.differences and not self.lost and not self.duplicated

    @property
    def recovery_p95_seconds(self) -> float:
        """From a kill until the killed process is ready again, which nineteen of twenty do not exceed."""
        return percentile_95([kill.recovery_seconds for kill in self.kills])

    def last_line(self) -> str:
        """One JSON object."""
        return json.dumps(
            {
                "seed": self.seed,
                "kills": len(self.kills),
                "jobs": self.jobs,
                "lost": self.lost,
                "duplicated": self.duplicated,
                "repeated_chunks": self.repeated_chunks,
                "recovery_p95_seconds": round(self.recovery_p95_seconds, 2),
                "progress_p95_seconds": round(percentile_95(self.progress_seconds), 2),
                "seconds_to_end": round(self.seconds_to_end, 1),
                "clean": self.is_clean,
            }
        )

    def summary(self) -> list[str]:
        """For people; a line each."""
        kills, busy = len(self.kills), len(self.progress_seconds)
        ended, lost = f"{self.seconds_to_end:.0f} s after the last kill", f"{self.lost} lost"
        again = f"{self.duplicated} duplicated, {self.repeated_chunks} chunks done again"
        lines = [
            f"{kills} kills over {self.jobs} jobs (seed {self.seed}), {busy} of them while jobs were running",
            *_per_victim(self.kills),
            f"Until a step ended after a kill: {percentile_95(self.progress_seconds):.1f} s (p95)",
            f"All ended and tidied {ended}; {lost}, {again}",
        ]
        if not self.differences:
            return [*lines, "No difference from an undisturbed run."]
        return [
            *lines,
            f"{len(self.differences)} differences from an undisturbed run:",
            *map(str, self.differences),
        ]


def percentile_95(values: Sequence[float]) -> float:
    """The smallest value that 95 % do not exceed (nearest rank); 0 of none."""
    return sorted(values)[math.ceil(0.95 * len(values)) - 1] if values else 0.0


def _per_victim(kills: Sequence[monkey.Kill]) -> list[str]:
    lines = []
    for victim in dict.fromkeys(kill.victim for kill in kills):
        seconds = [kill.recovery_seconds for kill in kills if kill.victim == victim]
        back = f"ready again after {min(seconds):.1f} to {max(seconds):.1f} s"
        lines.append(f"  {victim:<15} {len(seconds)} times, {back}")
    return lines
