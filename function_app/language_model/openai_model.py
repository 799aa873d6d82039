"""Translations and summaries from any OpenAI-compatible endpoint."""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final

from contracts import languages, results
from contracts.errors import ErrorCode
from function_app import errors
from function_app.language_model import chat, fidelity, model, progress, prompts

BATCH_CHARACTERS: Final = 4000
"""Of segments translated by one call: the answer has about as many, and must fit the model's output."""
BATCH_SEGMENTS: Final = 60
CONTEXT_SEGMENTS: Final = 2
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
        """In batches of segments, several at a time; each batch's answer has exactly its ids."""
        task = _Task(source=source_language, target=target_language, glossary=glossary)
        pieces = [self._translation(segments, batch, task) for batch in batches(segments)]
        return {
            int(number): text for answer in done.all(pieces) for number, text in json.loads(answer).items()
        }

    def _translation(self, segments: _Segments, batch: range, task: _Task) -> progress.Piece:
        wanted = segments[batch.start : batch.stop]
        context = segments[max(batch.start - CONTEXT_SEGMENTS, 0) : batch.start]
        question = task.question(wanted, context)
        return progress.Piece(
            key=self._key(question), make=lambda: json.dumps(self._translated(question, wanted, task))
        )

    def _translated(self, question: chat.Question, wanted: _Segments, task: _Task) -> dict[int, str]:
        """A batch whose answer does not fit is halved."""
        try:
            answer = self.endpoint.ask(question, TranslationAnswer, lambda found: _check_ids(found, wanted))
        except errors.LanguageModelError as error:
            if error.code != ErrorCode.LANGUAGE_MODEL_TRUNCATED or len(wanted) == 1:
                raise
            return self._halves(wanted, task)
        return {line.id: line.text.strip() for line in answer.segments}

    def _halves(self, wanted: _Segments, task: _Task) -> dict[int, str]:
        middle = len(wanted) // 2
        found: dict[int, str] = {}
        for half, context in ((wanted[:middle], ()), (wanted[middle:], wanted[:middle])):
            question = task.question(half, context[-CONTEXT_SEGMENTS:])
            found |= self._translated(question, half, task)
        return found

    def summarize(
        self, transcript: results.Transcript, *, language: str, done: progress.Progress
    ) -> model.Digest:
        """Of the whole where it fits into one call; otherwise of parts, and then of their summaries."""
        system = prompts.summary_system(source_language=transcript.language, language=language)
        texts = parts(transcript)
        answers = self._summaries(system, texts, done)
        while len(answers) > 1:
            joined = _joined_parts([_plain(answer) for answer in answers])
            answers = self._summaries(prompts.joining_system(language=language), joined, done)
        (answer,) = answers
        return model.Digest(
            language=language,
            text=answer.summary.strip(),
            key_points=tuple(point.strip() for point in answer.key_points if point.strip()),
        )

    def _summaries(self, system: str, texts: Sequence[str], done: progress.Progress) -> list[SummaryAnswer]:
        questions = [chat.Question(system=system, user=prompts.summary_user(text)) for text in texts]
        pieces = [self._summary(question) for question in questions]
        return [SummaryAnswer.model_validate_json(answer) for answer in done.all(pieces)]

    def _summary(self, question: chat.Question) -> progress.Piece:
        return progress.Piece(
            key=self._key(question),
            make=lambda: self.endpoint.ask(question, SummaryAnswer, _check_summary).model_dump_json(),
        )

    def _key(self, question: chat.Question) -> str:
        return progress.piece_key(self.endpoint.model, prompts.REVISION, question.system, question.user)


def batches(segments: _Segments) -> Iterator[range]:
    """Runs of segments that one call translates; a longer segment has one of its own."""
    start, characters = 0, 0
    for i, segment in enumerate(segments):
        is_full = characters + len(segment.text) > BATCH_CHARACTERS or i - start >= BATCH_SEGMENTS
        if i > start and is_full:
            yield range(start, i)
            start, characters = i, 0
        characters += len(segment.text)
    if segments:
        yield range(start, len(segments))


def parts(transcript: results.Transcript) -> list[str]:
    """The transcript's text, cut between segments where it is too long for one call."""
    joiner = languages.joiner(transcript.language)
    texts, current = [], ""
    for segment in transcript.segments:
        if current and len(current) + len(segment.text) > PART_CHARACTERS:
            texts.append(current)
            current = ""
        current = f"{current}{joiner}{segment.text}" if current else segment.text
    return [*texts, current] if current else texts


def _joined_parts(summaries: Sequence[str]) -> list[str]:
    """Fewer and fewer texts: at least two summaries go into each."""
    texts: list[str] = []
    count = 0
    for summary in summaries:
        if texts and (count < 2 or len(texts[-1]) + len(summary) <= PART_CHARACTERS):
            texts[-1] += f"\n\n{summary}"
            count += 1
        else:
            texts.append(summary)
            count = 1
    return texts


def _plain(answer: SummaryAnswer) -> str:
    return "\n".join([answer.summary, *(f"- {point}" for point in answer.key_points)])


def _check_ids(answer: TranslationAnswer, wanted: _Segments) -> None:
    found = [line.id for line in answer.segments]
    expected = [segment.id for segment in wanted]
    if sorted(found) != expected:
        raise chat.UnusableAnswerError(f"it must have each of the ids {expected} once; it has {found}")
    if any(not line.text.strip() for line in answer.segments):
        raise chat.UnusableAnswerError("a segment's translation is empty")


def _check_summary(answer: SummaryAnswer) -> None:
    if not answer.summary.strip():
        raise chat.UnusableAnswerError("the summary is empty")
