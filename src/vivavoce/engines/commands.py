"""The built-in agent: a closed set of commands on hassil templates, no language model.

It answers the last message: a user's command with a sentence or a tool call, a tool's result with a sentence. It acts
only through the tools it is offered (``text.commands.tools`` names those it knows) and says so where one is missing.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import UTC, datetime, tzinfo
from fractions import Fraction
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from vivavoce.contracts.errors import ConfigurationError, EngineMissing, UnknownName
from vivavoce.contracts.speech import Capabilities, Delta, LanguageOptions, Message, Tool, ToolCall
from vivavoce.text.commands import CommandSource, examples, intent_templates, languages, load
from vivavoce.text.commands.answers import Answer, Answers, Request
from vivavoce.text.commands.results import OFFERS, result_sentence

try:
    from hassil import Intents, recognize_best
except ImportError as error:
    _missing: ImportError | None = error
else:
    _missing = None

Setting = str | int | float | bool
MAX_TEXT = 300
"""Characters of a message above which it is no command, and not worth matching."""


class Matcher:
    """Sentences of one language to requests. Construction parses and warms up (about 0.1 s)."""

    def __init__(self, source: CommandSource) -> None:
        self._source = source
        self._intents = Intents.from_dict(intent_templates(source))
        self._ranges = frozenset(source.ranges)
        for sentence, _ in examples(source):  # templates are parsed and numbers compiled at first use
            self.match(*source.numbers.fold(source.normalise(sentence)))

    def match(self, text: str, values: Sequence[Fraction]) -> Request | None:
        """The request in a normalised sentence with folded numbers, or None."""
        found = recognize_best(text, self._intents)
        if found is None:
            return None
        words: dict[str, str] = {"percent": ""} if "percent" in text.split() else {}
        numbers: dict[str, Fraction] = {}
        for slot, entity in found.entities.items():
            if isinstance(entity.value, float):
                if not 0 <= entity.value < len(values):
                    return None
                numbers[slot] = values[int(entity.value)]
            else:
                words[slot] = _with_numbers(str(entity.value), values) if entity.is_wildcard else str(entity.value)
        return Request(found.intent.name, words, numbers)


def _with_numbers(text: str, values: Sequence[Fraction]) -> str:
    """Free words get their numbers back: a timer may be called "batch two"."""
    said = [str(values[int(w)]) if w.isdigit() and int(w) < len(values) else w.rstrip("?") for w in text.split()]
    return " ".join(said)


class CommandAgent:
    """Messages to deltas by fixed commands. Implements ``contracts.engines.LanguageEngine``.

    Settings: ``language`` ("en"), ``timezone`` (an IANA name; the system's own by default). ``now`` gives seconds since the
    epoch and ``chance`` the coins and dice; tests inject both. Raises EngineMissing, UnknownName (language),
    ConfigurationError (time zone).
    """

    def __init__(
        self,
        settings: Mapping[str, Setting],
        *,
        now: Callable[[], float] | None = None,
        chance: random.Random | None = None,
    ) -> None:
        if _missing is not None:
            raise EngineMissing("the built-in agent needs hassil: pip install 'hassil>=3.2'", cause=_missing)
        self._source = load(str(settings.get("language", "en")))
        self._zone = _zone(str(settings.get("timezone", "")))
        self._now = now
        self._answers = Answers(self._source, self._local_time, chance or random.Random())
        self._matcher = Matcher(self._source)
        self._calls = 0

    @property
    def capabilities(self) -> Capabilities:
        """Local, unmetered; understands the languages that have sentences."""
        return Capabilities(
            "commands", languages=languages(), streaming=False, concurrency=64, grammar="commands", licence="Apache-2.0"
        )

    def stream(self, messages: Sequence[Message], tools: Sequence[Tool], options: LanguageOptions) -> Iterator[Delta]:
        """Answer the last message with one delta: text, or one tool call. About a millisecond.

        Raises UnknownName where the options ask for a language other than the one loaded.
        """
        if options.language.split("-")[0].lower() != self._source.language:
            raise UnknownName(
                f"the built-in agent understands {self._source.language!r}, not {options.language!r}; "
                "`vivavoce connect` connects a language model"
            )
        answer = self._answer(messages)
        if not answer.tool:
            yield Delta(text=answer.text)
        elif answer.tool in {tool.name for tool in tools}:
            self._calls += 1
            yield Delta(tool_call=ToolCall(f"command-{self._calls}", answer.tool, dict(answer.arguments)))
        else:
            offered = self._source.replies[OFFERS[answer.tool]]
            yield Delta(text=self._source.replies["cannot"].format(what=offered))

    def close(self) -> None:
        """Nothing to give back."""

    def understand(self, text: str) -> Request | None:
        """The command in a sentence, or None. A sum is an ``arithmetic`` request."""
        folded, values = self._fold(text)
        if self._answers.calculate(folded, values) is not None:
            return Request("arithmetic")
        return self._matcher.match(folded, values)

    def _answer(self, messages: Sequence[Message]) -> Answer:
        if messages and messages[-1].role == "tool":
            return Answer(self._result(messages))
        said = next((message.text for message in reversed(messages) if message.role == "user"), "")
        folded, values = self._fold(said)
        found = self._answers.calculate(folded, values)
        if found is not None:
            return found
        request = self._matcher.match(folded, values) if folded else None
        if request is None:
            return self._answers.say("unmatched")
        if request.intent == "repeat":
            return self._repeat(messages)
        return self._answers.answer(request)

    def _fold(self, text: str) -> tuple[str, tuple[Fraction, ...]]:
        if len(text) > MAX_TEXT:
            return "", ()
        return self._source.numbers.fold(self._source.normalise(text))

    def _repeat(self, messages: Sequence[Message]) -> Answer:
        last = next((m.text for m in reversed(messages) if m.role == "assistant" and m.text.strip()), "")
        return Answer(last) if last else self._answers.say("nothing_said")

    def _result(self, messages: Sequence[Message]) -> str:
        """One sentence for each tool result at the end of the conversation."""
        calls = {call.id: call for message in messages for call in message.tool_calls}
        sentences: list[str] = []
        for message in reversed(messages):
            if message.role != "tool":
                break
            call = calls.get(message.tool_call_id or "")
            name, arguments = (call.name, call.arguments) if call else ("", {})
            sentences.insert(0, result_sentence(self._source, name, arguments, message.text))
        return " ".join(sentences)

    def _local_time(self) -> datetime:
        moment = datetime.now(UTC) if self._now is None else datetime.fromtimestamp(self._now(), UTC)
        return moment.astimezone(self._zone)


def _zone(name: str) -> tzinfo | None:
    if not name:
        return None
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError) as error:
        raise ConfigurationError(
            f"no time zone is called {name!r}; use an IANA name like Europe/London", cause=error
        ) from error
