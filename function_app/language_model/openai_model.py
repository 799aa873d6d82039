"""Translations and summaries from any OpenAI-compatible endpoint."""

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final

from contracts import languages, results
from function_app.language_model import chat, cutting, fidelity, model, progress, prompts

BATCH_CHARACTERS: Final = 4000
"""Of segments translated by one call: the answer has about as many, and must fit the model's output."""
BATCH_SEGMENTS: Final = 60
CONTEXT_SEGMENTS: Final = 2
CONTEXT_CHARACTERS: Final = 1000
"""Of each of them, its end; half as many each time that a batch is halved."""
PART_CHARACTERS: Final = 24_000
"""Of a transcript summarised by one call; longer ones are summarised in parts, and the parts again."""

_Segments = Sequence[results.TranscriptSegment]


class TranslatedLine(chat.Answer):
    """One segment."""

    id: int
    text: str


class TranslationAnswer(chat.Answer):
    """What is asked for."""

    segments: list[TranslatedLine]


class SummaryAnswer(chat.Answer):
    """What is asked for."""

    summary: str
    key_points: list[str]


@dataclass(frozen=True, kw_only=True)
class _Task:
    source: str
    target: str
    glossary: Mapping[str, str]

    def question(self, wanted: _Segments, context: _Segments) -> chat.Question:
        """With the part of the glossary that these segments have words of."""
        return chat.Question(
            system=prompts.translation_system(source_language=self.source, target_language=self.target),
            user=prompts.translation_user(wanted, context, fidelity.terms_in(wanted, self.glossary)),
        )


@dataclass(frozen=True, kw_only=True)
class OpenAIModel:
    """A LanguageModel."""

    endpoint: chat.Chat

    def translate(
        self,
        segments: _Segments,
        *,
        source_language: str,
        target_language: str,
        done: progress.Progress,
        glossary: Mapping[str, str] = MappingProxyType({}),
    ) -> dict[int, str]:
        """In batches of segments, several at a time; each batch's answer has exactly its ids.

        A segment that is too long for one call is translated in fragments, one without words not at all.
        """
        task = _Task(source=source_language, target=target_language, glossary=glossary)
        lines = [fragment for segment in segments for fragment in _fragments(segment)]
        pieces = [
            self._translation(lines[batch.start : batch.stop], lines[: batch.start][-CONTEXT_SEGMENTS:], task)
            for batch in batches(lines)
        ]
        found: dict[int, list[str]] = {segment.id: [] for segment in segments}
        for answer in done.all(pieces):
            for number, text in json.loads(answer).items():
                found[int(number)].append(text)
        joiner = languages.joiner(target_language)
        return {number: joiner.join(texts) for number, texts in found.items()}

    def _translation(
        self,
        wanted: _Segments,
        context: _Segments,
        task: _Task,
        context_characters: int = CONTEXT_CHARACTERS,
    ) -> progress.Piece:
        question = task.question(wanted, [_end_of(segment, context_characters) for segment in context])
        return progress.Piece(
            key=self._key(question),
            make=lambda: json.dumps(self._translated(question, wanted)),
            halves=lambda: self._halves(wanted, context, task, context_characters // 2),
        )

    def _translated(self, question: chat.Question, wanted: _Segments) -> dict[int, str]:
        answer = self.endpoint.ask(question, TranslationAnswer, lambda found: _check_ids(found, wanted))
        return {line.id: line.text.strip() for line in answer.segments}

    def _halves(
        self, wanted: _Segments, context: _Segments, task: _Task, context_characters: int
    ) -> Sequence[progress.Piece]:
        """Half of the segments each; a single one is cut inside. The context is to fit too."""
        middle = len(wanted) // 2
        first, second = (wanted[:middle], wanted[middle:]) if middle else _fragment_halves(wanted[0])
        if not first:
            return ()
        return (
            self._translation(first, context, task, context_characters),
            self._translation(second, [*context, *first][-CONTEXT_SEGMENTS:], task, context_characters),
        )

    def summarize(
        self, transcript: results.Transcript, *, language: str, done: progress.Progress
    ) -> model.Digest:
        """Of the whole where it fits into one call; otherwise of parts, and then of their summaries."""
        system = prompts.summary_system(source_language=transcript.language, language=language)
        answers = _read(done.all([self._summary(system, text) for text in parts(transcript)]))
        while len(answers) > 1:
            joining = prompts.joining_system(language=language)
            answers = _read(done.all([self._joined(joining, group) for group in _groups(answers)]))
        (answer,) = answers
        return model.Digest(
            language=language,
            text=answer.summary.strip(),
            key_points=tuple(point.strip() for point in answer.key_points if point.strip()),
        )

    def _summary(self, system: str, text: str) -> progress.Piece:
        """Of a text, or of its halves where it does not fit."""
        return self._summary_piece(
            system, text, lambda: [self._summary(system, half) for half in cutting.in_two(text)]
        )

    def _joined(self, system: str, group: Sequence[SummaryAnswer]) -> progress.Piece:
        """The summary of summaries; one that is alone stays as it is, so that there are fewer each time."""
        if len(group) == 1:
            kept = group[0].model_dump_json()
            return progress.Piece(key=progress.piece_key("alone", kept), make=lambda: kept)
        text = "\n\n".join(_plain(answer) for answer in group)
        middle = len(group) // 2
        halves = (group[:middle], group[middle:]) if len(group) > 2 else ()
        return self._summary_piece(system, text, lambda: [self._joined(system, half) for half in halves])

    def _summary_piece(
        self, system: str, text: str, halves: Callable[[], Sequence[progress.Piece]]
    ) -> progress.Piece:
        question = chat.Question(system=system, user=prompts.summary_user(text))
        return progress.Piece(
            key=self._key(question),
            make=lambda: self.endpoint.ask(question, SummaryAnswer, _check_summary).model_dump_json(),
            halves=halves,
        )

    def _key(self, question: chat.Question) -> str:
        return progress.piece_key(self.endpoint.model, prompts.REVISION, question.system, question.user)


def batches(segments: _Segments) -> Iterator[range]:
    """Runs of segments that one call translates; fragments of one segment go into different ones."""
    start, characters = 0, 0
    for i, segment in enumerate(segments):
        is_full = characters + len(segment.text) > BATCH_CHARACTERS or i - start >= BATCH_SEGMENTS
        if i > start and (is_full or segment.id == segments[i - 1].id):
            yield range(start, i)
            start, characters = i, 0
        characters += len(segment.text)
    if segments:
        yield range(start, len(segments))


def _fragments(segment: results.TranscriptSegment) -> Iterator[results.TranscriptSegment]:
    """The segment, or several with its id where it is too long for one call; none where it is blank."""
    if len(segment.text) <= BATCH_CHARACTERS:
        yield from [segment] if segment.text.strip() else []
    else:
        yield from (_with_text(segment, text) for text in cutting.cut(segment.text, BATCH_CHARACTERS))


def _fragment_halves(segment: results.TranscriptSegment) -> tuple[_Segments, _Segments]:
    halves = cutting.in_two(segment.text)
    return ([_with_text(segment, halves[0])], [_with_text(segment, halves[1])]) if halves else ([], [])


def _end_of(segment: results.TranscriptSegment, characters: int) -> results.TranscriptSegment:
    return _with_text(segment, segment.text[max(len(segment.text) - characters, 0) :])


def _with_text(segment: results.TranscriptSegment, text: str) -> results.TranscriptSegment:
    return segment.model_copy(update={"text": text})


def parts(transcript: results.Transcript) -> list[str]:
    """The transcript's text, cut between segments, and in those that alone are too long for one call."""
    joiner = languages.joiner(transcript.language)
    texts, current = [], ""
    for text in (text for one in transcript.segments for text in cutting.cut(one.text, PART_CHARACTERS)):
        if current and len(current) + len(text) > PART_CHARACTERS:
            texts.append(current)
            current = ""
        current = f"{current}{joiner}{text}" if current else text
    return [*texts, current] if current else texts


def _groups(answers: Sequence[SummaryAnswer]) -> list[list[SummaryAnswer]]:
    """Fewer than there are answers: the first one, at least, holds two."""
    groups: list[list[SummaryAnswer]] = []
    characters = 0
    for answer in answers:
        length = len(_plain(answer))
        if groups and (len(groups[-1]) < 2 or characters + length <= PART_CHARACTERS):
            groups[-1].append(answer)
            characters += length
        else:
            groups.append([answer])
            characters = length
    return groups


def _read(found: Sequence[str]) -> list[SummaryAnswer]:
    return [SummaryAnswer.model_validate_json(answer) for answer in found]


def _plain(answer: SummaryAnswer) -> str:
    return "\n".join([answer.summary, *(f"- {point}" for point in answer.key_points)])


def _check_ids(answer: TranslationAnswer, wanted: _Segments) -> None:
    found = [line.id for line in answer.segments]
    expected = [segment.id for segment in wanted]
    if sorted(found) != sorted(expected):
        raise chat.UnusableAnswerError(f"it must have each of the ids {expected} once; it has {found}")
    if any(not line.text.strip() for line in answer.segments):
        raise chat.UnusableAnswerError("a segment's translation is empty")


def _check_summary(answer: SummaryAnswer) -> None:
    if not answer.summary.strip():
        raise chat.UnusableAnswerError("the summary is empty")
