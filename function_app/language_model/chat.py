"""One question to an OpenAI-compatible endpoint, and an answer that has been checked."""

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final, TypeVar

import openai
import pydantic

from function_app.language_model import classification, prompts

_FENCE: Final = re.compile(r"\A\s*```(?:json)?\s*(.*?)\s*```\s*\Z", re.DOTALL)


class Answer(pydantic.BaseModel):
    """The base of what models answer: strict structured output wants every field and no other."""

    model_config = pydantic.ConfigDict(extra="forbid")


_A = TypeVar("_A", bound=Answer)


class UnusableAnswerError(Exception):
    """The answer has the wrong form; its message tells the model so."""


@dataclass(frozen=True, kw_only=True)
class Question:
    """What is asked: rules, and data."""

    system: str
    user: str


@dataclass(frozen=True, kw_only=True)
class Chat:
    """`client` sleeps over short pauses at most: longer ones are the orchestrator's, on durable timers."""

    client: openai.OpenAI
    model: str

    def ask(self, question: Question, form: type[_A], check: Callable[[_A], None] | None = None) -> _A:
        """An answer in `form` that `check` does not object to; a wrong one is sent back once.

        `check` raises UnusableAnswerError. Raises LanguageModelError.
        """
        messages = [
            {"role": "system", "content": question.system},
            {"role": "user", "content": question.user},
        ]
        text = self._complete(messages, form)
        try:
            return _read(text, form, check)
        except UnusableAnswerError as problem:
            messages += [
                {"role": "assistant", "content": text},
                {"role": "user", "content": prompts.repair(str(problem))},
            ]
        try:
            return _read(self._complete(messages, form), form, check)
        except UnusableAnswerError as problem:
            raise classification.invalid_answer() from problem

    def _complete(self, messages: list[dict[str, str]], form: type[Answer]) -> str:
        try:
            completion = self.client.chat.completions.create(  # type: ignore[call-overload] # plain dicts for its TypedDicts
                model=self.model,
                messages=messages,
                response_format=_response_format(form),
            )
        except openai.OpenAIError as error:
            raise classification.of_api_error(error) from error
        except UnicodeEncodeError as error:
            raise classification.unsendable() from error
        except ValueError as error:
            # The SDK lets the JSON decoder's error out when a body breaks off.
            raise classification.unreadable() from error
        return _text(completion)


def _response_format(form: type[Answer]) -> dict[str, Any]:
    schema = {"name": form.__name__, "schema": form.model_json_schema(), "strict": True}
    return {"type": "json_schema", "json_schema": schema}


def _text(completion: Any) -> str:
    """The answer's text. Compatible servers leave out what they like, so nothing is taken for granted."""
    choices = getattr(completion, "choices", None)
    if not choices:
        return ""
    finish_reason = getattr(choices[0], "finish_reason", None)
    message = getattr(choices[0], "message", None)
    if finish_reason == "content_filter":
        raise classification.filtered(getattr(choices[0], "content_filter_results", None))
    if finish_reason == "length":
        raise classification.truncated()
    if getattr(message, "refusal", None):
        raise classification.refused()
    return str(getattr(message, "content", None) or "")


def _read(text: str, form: type[_A], check: Callable[[_A], None] | None) -> _A:
    fenced = _FENCE.match(text)
    try:
        answer = form.model_validate_json(fenced.group(1) if fenced else text)
    except pydantic.ValidationError as error:
        first = error.errors(include_url=False, include_input=False, include_context=False)[0]
        raise UnusableAnswerError(f"{'.'.join(map(str, first['loc'])) or 'it'}: {first['msg']}") from error
    if check:
        check(answer)
    return answer
