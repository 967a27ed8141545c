"""Listening noises, orders to be quiet, and the reply's own echo: what speech over a reply means.

The lexicons are small on purpose: whatever they do not know counts as words, and words interrupt.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import lru_cache

from vivavoce.text.matching import primary_language, words_of

Phrases = frozenset[tuple[str, ...]]

_MOST_HEARD = 60
"""Words of heard text compared with a reply; more than that was no echo of a few seconds."""
_MOST_SPOKEN = 160
"""Words at the end of the reply's text compared with; about a minute of speech."""
_LONGEST_BACKCHANNEL = 6
"""More words than this are no backchannel, whatever they are."""

_NOISE = re.compile(r"m+|m+h+m+|h+m+|m+h+|a+h+|o+h+|u+h+h+u+h+|u+h+u+h+|a+h+a+|o+o+h+|h+u+h+|j+a+|y+e+a+h+|o+k+a*y*")
_FILLER = re.compile(r"u+h+m*|u+m+|e+r+m*|e+h+m*|ä+h+m*|e+u+h+|b+e+n+|p+u+e+s+|a+h+m+")


def _phrases(*listed: str) -> Phrases:
    return frozenset(tuple(phrase.split()) for line in listed for phrase in line.split(", "))


_BACKCHANNELS: dict[str, Phrases] = {
    "en": _phrases(
        "yeah, yes, yep, yup, ya, right, okay, ok, kay, alright, all right, sure, true, exactly, indeed, absolutely",
        "definitely, of course, i see, i know, got it, gotcha, i got it, i understand, understood, makes sense",
        "that makes sense, go on, go ahead, really, oh really, wow, cool, nice, great, good, very good, interesting",
        "oh, ah, aha, uh huh, mm hmm, mm hm, mhm, mmhmm, mm, hmm, hm, huh, oh okay, fair enough, no way, that's right",
        "that's true, sounds good, you're right, perfect, fine, awesome, for sure, totally, oh wow, oh i see",
    ),
    "es": _phrases(
        "sí, si, ajá, aja, claro, vale, ya, ya veo, ya ya, entiendo, entendido, de acuerdo, bien, muy bien, exacto",
        "por supuesto, cierto, es verdad, verdad, okay, ok, mm, mhm, ah, oh, ah sí, de verdad, en serio, perfecto",
        "bueno, genial, sigue, continúa",
    ),
    "de": _phrases(
        "ja, jo, jaja, genau, okay, ok, stimmt, klar, na klar, alles klar, gut, sehr gut, richtig, verstehe",
        "ich verstehe, verstanden, aha, ach so, achso, mhm, mm, hm, ah, oh, ach, wirklich, echt, schön, super, toll",
        "natürlich, sicher, eben, so so, interessant, in ordnung, weiter, red weiter",
    ),
    "fr": _phrases(
        "oui, ouais, mouais, d'accord, ok, okay, bien, très bien, je vois, je comprends, compris, exactement, exact",
        "c'est vrai, c'est ça, ah, ah bon, ah oui, oh, hum, mm, mhm, bien sûr, super, parfait, vraiment, entendu",
        "ça marche, voilà, en effet, continue, continuez, intéressant",
    ),
}

_STOPS: dict[str, Phrases] = {
    "en": _phrases(
        "stop, stop it, stop that, stop talking, stop there, stop speaking, wait, hold on, hold it, hang on, pause",
        "be quiet, quiet, silence, shut up, hush, shush, shh, enough, that's enough, that is enough, that's all",
        "that will do, that'll do, cancel, cancel that, cancel it, never mind, nevermind, forget it, no no, no no no",
        "one moment, one second, one sec, just a moment, just a second, just a minute, okay stop, no stop, cut it out",
        "wait wait, not that, let me talk, let me speak, let me finish, excuse me, sorry to interrupt, no wait",
    ),
    "es": _phrases(
        "para, pare, párate, detente, deténgase, basta, ya basta, espera, espere, un momento, un segundo, silencio",
        "cállate, cállese, calla, cancela, cancelar, cancela eso, alto, no no, no no no, déjalo, olvídalo, suficiente",
        "es suficiente, stop",
    ),
    "de": _phrases(
        "stopp, stop, halt, warte, warte mal, warten sie, moment, moment mal, einen moment, sekunde, eine sekunde",
        "ruhe, sei still, seien sie still, still, leise, schluss, genug, es reicht, das reicht, abbrechen, brich ab",
        "hör auf, hören sie auf, nein nein, nein nein nein, vergiss es, lass es, sei ruhig, aufhören",
    ),
    "fr": _phrases(
        "stop, arrête, arrêtez, attends, attendez, un instant, un moment, une seconde, silence, tais-toi, taisez-vous",
        "tais toi, taisez vous, ça suffit, assez, c'est assez, annule, annulez, non non, non non non, laisse tomber",
        "chut, pause, minute",
    ),
}

_POLITE: dict[str, Phrases] = {
    "en": _phrases(
        "please, okay, ok, hey, oh, ah, no, now, just, right now, can you, could you, would you, will you, for a second",
        "for a moment, a second, a moment, a minute, a sec, there, thanks, thank you, sorry, alright, all right, yeah",
        "well, so, i said, a bit, computer, assistant, actually, but",
    ),
    "es": _phrases("por favor, ahora, ya, no, oye, vale, ok, okay, gracias, un poco, perdón, pero, ahí"),
    "de": _phrases("bitte, jetzt, mal, nein, okay, ok, hey, danke, ach, kurz, doch, entschuldigung, aber, so"),
    "fr": _phrases("s'il te plaît, s'il vous plaît, maintenant, non, ok, okay, merci, hé, là, pardon, mais, oh"),
}


def is_backchannel(text: str, language: str = "en") -> bool:
    """Whether ``text`` only shows that somebody listens ("mm-hm", "yeah okay", "i see").

    False for no words and for mere hesitation.
    """
    words = words_of(text)
    if not words or len(words) > _LONGEST_BACKCHANNEL:
        return False
    return not _beyond_backchannels(words, language) and not all(_filler(word) for word in words)


def is_hesitation(text: str) -> bool:
    """Whether ``text`` only holds the floor ("um", "uh uhm"): the speaker is not done."""
    words = words_of(text)
    return bool(words) and all(_filler(word) for word in words)


def may_become_backchannel(text: str, language: str = "en") -> bool:
    """Whether an unfinished reading is a backchannel or the beginning of one ("i" of "i see")."""
    words = tuple(words_of(text))
    if not words or len(words) > _LONGEST_BACKCHANNEL:
        return False
    known = _BACKCHANNELS.get(primary_language(language), frozenset())
    return is_backchannel(text, language) or any(phrase[: len(words)] == words for phrase in known)


def is_command_to_stop(text: str, language: str = "en") -> bool:
    """Whether all of ``text`` asks for silence ("stop", "okay wait", "no no no please").

    "stop the timer" is no such command: it is for whoever answers.
    """
    words = words_of(text)
    code = primary_language(language)
    stops, polite = _STOPS.get(code, _STOPS["en"]), _POLITE.get(code, _POLITE["en"])
    found, at = False, 0
    while at < len(words):
        step = _longest(words, at, stops)
        if step:
            found = True
        elif not (step := _longest(words, at, polite)) and not (step := _filler(words[at])):
            return False
        at += step
    return found


def new_words(text: str, language: str, spoken: str) -> int:
    """How many words of ``text`` are neither backchannel nor hesitation nor the echo of ``spoken``.

    ``spoken`` is the reply's own recent text. Echoed are stretches of two or more words (one, where ``text`` has no
    more) that follow each other in ``spoken`` too, a single misread word in between included.
    """
    words = words_of(text)[:_MOST_HEARD]
    reply = words_of(spoken)[-_MOST_SPOKEN:]
    echoed = _echoed(words, reply)
    rest = [word for word, echo in zip(words, echoed, strict=True) if not echo]
    return len(_beyond_backchannels(rest, language))


def echo_similarity(heard: str, spoken: str) -> float:
    """How much ``heard`` resembles its best-fitting stretch of ``spoken``: 0 not at all, 1 word for word.

    One minus the word edit distance to the best stretch over the number of words heard (approximate matching after
    Sellers, "The theory and computation of evolutionary distances", 1980); alike words cost half a substitution.
    """
    words, reply = words_of(heard)[:_MOST_HEARD], words_of(spoken)[-_MOST_SPOKEN:]
    if not words or not reply:
        return 0.0
    row = [0.0] * (len(reply) + 1)
    for word in words:
        above, row = row, [row[0] + 1.0]
        for j, other in enumerate(reply):
            substitution = 0.0 if word == other else 0.5 if _alike(word, other) else 1.0
            row.append(min(above[j] + substitution, above[j + 1] + 1.0, row[j] + 1.0))
    return max(0.0, 1.0 - min(row) / len(words))


def _longest(words: Sequence[str], at: int, phrases: Phrases) -> int:
    """Words of the longest phrase that begins at ``at``; 0 for none."""
    for length in range(min(4, len(words) - at), 0, -1):
        if tuple(words[at : at + length]) in phrases:
            return length
    return 0


def _filler(word: str) -> int:
    return int(_FILLER.fullmatch(word) is not None)


def _beyond_backchannels(words: Sequence[str], language: str) -> list[str]:
    phrases = _BACKCHANNELS.get(primary_language(language), _BACKCHANNELS["en"])
    rest: list[str] = []
    at = 0
    while at < len(words):
        step = _longest(words, at, phrases) or int(_NOISE.fullmatch(words[at]) is not None)
        if not step:
            if not _filler(words[at]):
                rest.append(words[at])
            step = 1
        at += step
    return rest


def _echoed(words: Sequence[str], reply: Sequence[str]) -> list[bool]:
    """Which of ``words`` lie on a diagonal of matches with ``reply`` that is long enough to be no chance."""
    echoed = [False] * len(words)
    needed = min(2, len(words))
    for shift in range(-len(words) + 1, len(reply)):
        run: list[int] = []
        for i in range(max(0, -shift), min(len(words), len(reply) - shift)):
            if not (words[i] == reply[i + shift] or _alike(words[i], reply[i + shift])):
                continue
            if run and i - run[-1] > 2:
                _mark(echoed, run, needed)
                run = []
            run.append(i)
        _mark(echoed, run, needed)
    return echoed


def _mark(echoed: list[bool], run: list[int], needed: int) -> None:
    """Mark a run of matched indices; one unmatched word inside belongs to it where at least three words match."""
    if not run or len(run) < needed:
        return
    gaps = run[-1] - run[0] + 1 - len(run)
    if gaps == 0 or len(run) >= 3:
        echoed[run[0] : run[-1] + 1] = [True] * (run[-1] - run[0] + 1)


@lru_cache(maxsize=4096)
def _pairs(word: str) -> frozenset[str]:
    return frozenset(word[i : i + 2] for i in range(len(word) - 1))


def _alike(one: str, other: str) -> bool:
    """Whether a recogniser may have misread one word as the other: they share most pairs of letters (Dice ≥ 0.6)."""
    if abs(len(one) - len(other)) > 3 or len(one) < 4 or len(other) < 4:
        return False
    a, b = _pairs(one), _pairs(other)
    return 2 * len(a & b) >= 0.6 * (len(a) + len(b))
