"""From what each clip said to one language. Pure."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from contracts import languages


@dataclass(frozen=True, kw_only=True)
class Verdict:
    """A language and how sure of it."""

    language: str
    confidence: float


def best(probabilities: Mapping[str, float]) -> Verdict:
    """The most probable; of equals the first in the alphabet. `und` when there is none."""
    if not probabilities:
        return Verdict(language=languages.UNDETERMINED, confidence=0.0)
    language = min(probabilities, key=lambda code: (-probabilities[code], code))
    return Verdict(language=language, confidence=min(1.0, max(0.0, probabilities[language])))


def together(votes: Sequence[tuple[float, Mapping[str, float]]]) -> Verdict:
    """Average of the probabilities, each vote weighted by its seconds of speech.

    Averaging, not counting: a clip that is sure outweighs one of music that is not.
    """
    total = sum(weight for weight, _ in votes)
    sums: dict[str, float] = {}
    for weight, probabilities in votes:
        for language, probability in probabilities.items():
            sums[language] = sums.get(language, 0.0) + probability * weight / total
    return best(sums)
