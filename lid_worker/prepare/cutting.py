"""Where a recording is cut into chunks. Pure; counts in samples.

A chunk ends in the longest silence of its late half; failing that, in its last silence. Speech without any
silence as long as a chunk is cut at a pause for breath, and without even that, blindly, with an overlap.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from lid_worker.prepare.sound import samples
from lid_worker.prepare.speech import SpeechSpan, Stretch

OVERLAP: Final = samples(2.0)
"""After a blind cut the next chunk begins this much before it: the cut word is whole in one of the two."""
LARGEST_OVERLAP_SHARE: Final = 0.25
LATE_SHARE: Final = 0.5
"""The part of a chunk, from its end, in which the longest silence is looked for."""


@dataclass(frozen=True, kw_only=True)
class Piece(Stretch):
    """A chunk to be: from the first to the last sample of its speech."""

    overlap: int = 0
    """How much of its start repeats the end of the piece before it."""
    speech: tuple[Stretch, ...]


@dataclass(frozen=True, kw_only=True)
class _Atom(Stretch):
    """Speech that is not cut any further; `overlap` as in Piece."""

    overlap: int = 0


def cut(spans: Sequence[SpeechSpan], *, longest: int) -> tuple[Piece, ...]:
    """Pieces of at most `longest` samples that together hold every span, in order.

    No two pieces share a sample, unless `overlap` says so. The spans must be in order and apart.
    """
    atoms = [atom for span in spans for atom in _atoms(span, longest)]
    pieces = []
    while atoms:
        count = _how_many(atoms, longest)
        pieces.append(_piece(atoms[:count]))
        atoms = atoms[count:]
    return tuple(pieces)


def _how_many(atoms: Sequence[_Atom], longest: int) -> int:
    """How many of the atoms, from the first, make the next piece."""
    start = atoms[0].start
    fitting = 1
    while fitting < len(atoms) and atoms[fitting].end - start <= longest and not atoms[fitting].overlap:
        fitting += 1
    if fitting == len(atoms) or atoms[fitting].overlap:
        return fitting
    late = [
        count for count in range(1, fitting + 1) if atoms[count - 1].end - start >= longest * (1 - LATE_SHARE)
    ]
    # Of equally long silences the last, and without a late one the last that fits.
    return max(late, key=lambda count: (_silence_after(atoms, count), count), default=fitting)


def _silence_after(atoms: Sequence[_Atom], count: int) -> int:
    return atoms[count].start - atoms[count - 1].end


def _piece(atoms: Sequence[_Atom]) -> Piece:
    return Piece(
        start=atoms[0].start,
        end=atoms[-1].end,
        overlap=atoms[0].overlap,
        speech=tuple(_joined(atoms)),
    )


def _joined(atoms: Sequence[_Atom]) -> list[Stretch]:
    """Atoms that touch are one stretch again: they were parts of one span."""
    stretches: list[Stretch] = []
    for atom in atoms:
        if stretches and stretches[-1].end == atom.start:
            stretches[-1] = Stretch(start=stretches[-1].start, end=atom.end)
        else:
            stretches.append(Stretch(start=atom.start, end=atom.end))
    return stretches


def _atoms(span: SpeechSpan, longest: int) -> list[_Atom]:
    atoms = []
    start, overlap = span.start, 0
    while span.end - start > longest:
        pause = _best_pause(span.pauses, start=start, longest=longest)
        if pause is not None:
            middle = (pause.start + pause.end) // 2
            atoms.append(_Atom(start=start, end=middle, overlap=overlap))
            start, overlap = middle, 0
        else:
            end = start + longest
            atoms.append(_Atom(start=start, end=end, overlap=overlap))
            overlap = min(OVERLAP, int(longest * LARGEST_OVERLAP_SHARE))
            start = end - overlap
    atoms.append(_Atom(start=start, end=span.end, overlap=overlap))
    return atoms


def _best_pause(pauses: Sequence[Stretch], *, start: int, longest: int) -> Stretch | None:
    reachable = [p for p in pauses if start < (p.start + p.end) // 2 <= start + longest]
    late = [p for p in reachable if p.start >= start + longest * (1 - LATE_SHARE)]
    if late:
        return max(late, key=lambda pause: (pause.length, pause.start))
    return reachable[-1] if reachable else None
