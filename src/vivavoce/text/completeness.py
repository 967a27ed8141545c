"""Does it sound finished? Judged from the words alone.

A recogniser gives lower-case words without punctuation, so the form must tell: who ends on "and", "the" or "my number is"
goes on; who has said "yes please", "stop" or "what time is it" is done. Rules are tried from the most to the least
certain, the first that applies decides:

1. Punctuation, where there is some: ``…`` and ``,`` go on, ``?`` and ``!`` end, ``.`` ends unless the words go on.
2. A number, an address or a spelling in progress: the next digit usually follows.
3. The last word (or two) needs something behind it: conjunction, article, preposition, auxiliary, possessive, filler.
   A preposition may end a question ("who are you talking to") and a phrase may end on a particle ("turn it off").
4. A whole utterance that stands alone: yes, no, thanks, stop.
5. A question with a predicate, or an order with its object: usually done.
6. A beginning alone ("i want", "can you tell me"): needs an object or a clause.
7. A clause with a subject and some words behind its verb: more likely done than not.
8. Otherwise 0.5: the form says nothing.

The numbers are degrees of belief, ordered rather than calibrated: endpointing turns them into a wait together with the
sound. Around 0.1 means "surely more to come", 0.5 "no idea", 0.9 "surely done".
"""

from __future__ import annotations

import re

from vivavoce.text.completeness_data import FORMS, Forms
from vivavoce.text.matching import primary_language, words_of

SURELY_OPEN = 0.05
OPEN = 0.15
RATHER_OPEN = 0.3
UNKNOWN = 0.5
RATHER_DONE = 0.65
DONE = 0.85
SURELY_DONE = 0.95

_LAST_WORDS = 24
"""Words at the end that are looked at; what lies before does not matter to the end."""
_TRAILING = re.compile(r"[\s\"'”’»)\]]+\Z")


def completeness(text: str, language: str = "en") -> float:
    """How likely ``text`` is a complete utterance, by its form: 0 (goes on) to 1 (done).

    0.5 for languages without word lists (there are en, es, de and fr), unless punctuation tells; 0 for no words.
    """
    words = words_of(text[-400:])[-_LAST_WORDS:]
    if not words:
        return 0.0
    forms = FORMS.get(primary_language(language))
    mark = _last_mark(text)
    if mark == "open":
        return SURELY_OPEN
    if mark == "sure":
        return SURELY_DONE
    score = UNKNOWN if forms is None else _by_words(words, forms)
    if mark == "stop":
        return DONE if score >= RATHER_OPEN or forms is None else RATHER_OPEN
    return score


def _last_mark(text: str) -> str:
    end = _TRAILING.sub("", text[-80:])
    if end.endswith(("...", "…", ",", "，", "、", "-", "–", "—", ":", ";")):
        return "open"
    if end.endswith(("?", "!", "？", "！", "؟")):
        return "sure"
    return "stop" if end.endswith((".", "。", "।")) else ""


def _by_words(words: list[str], forms: Forms) -> float:
    if (spelled := _counting(words, forms)) is not None:
        return spelled
    joined = " ".join(words)
    last, last_two = words[-1], " ".join(words[-2:])
    if last_two in forms.closed_pairs or joined in forms.whole:
        return SURELY_DONE
    if last in forms.fillers or last_two in forms.open_pairs:
        return SURELY_OPEN
    question = _is_question(words, forms)
    if last in forms.open_words:
        return SURELY_OPEN
    if last in forms.prepositions:
        return _behind_preposition(words, question, forms)
    if last in forms.auxiliaries:
        whole = question and len(words) >= forms.shortest_question and words[0] in forms.askers
        return RATHER_DONE if whole else OPEN
    return _by_form(words, question, forms)


def _by_form(words: list[str], question: bool, forms: Forms) -> float:
    if _only(words, forms.stand_alone):
        return SURELY_DONE
    joined = " ".join(words)
    if forms.beginnings.fullmatch(joined) or (words[0] in forms.subordinators and len(words) <= 3):
        return OPEN
    if words[-1] in forms.closing_words:
        return DONE
    if question:
        return DONE if len(words) >= 3 else RATHER_OPEN
    if words[0] in forms.orders or joined.startswith(forms.order_pairs):
        return DONE if len(words) >= 2 or words[0] in forms.short_orders else RATHER_OPEN
    if words[-1] in forms.transitive:
        return OPEN
    if words[0] in forms.subjects and len(words) >= 3:
        return RATHER_DONE
    return UNKNOWN


def _behind_preposition(words: list[str], question: bool, forms: Forms) -> float:
    """A preposition at the end: a particle ("turn it off", "come in"), a question's ("where is it from"), or open."""
    particle = words[-1] in forms.particles
    with_verb = particle and any(word in forms.particle_verbs for word in words[-4:-1])
    if with_verb and (len(words) >= 3 or words[0] in forms.intransitive):
        return DONE
    stranded = len(words) >= 4 and (words[-2] in forms.pronouns or words[-2].endswith("ing"))
    if question and words[0] in forms.askers and stranded:
        return RATHER_DONE
    return RATHER_OPEN if particle else SURELY_OPEN


def _is_question(words: list[str], forms: Forms) -> bool:
    at = 0
    while at < len(words) - 1 and words[at] in forms.lead_ins:
        at += 1
    head = words[at]
    if head in forms.askers:
        return True
    return head in forms.inverted and len(words) > at + 1 and words[at + 1] in forms.subjects


def counting(text: str, language: str = "en") -> bool:
    """Whether a number or a spelling is in progress at the end of ``text``: one should wait as for digits."""
    forms = FORMS.get(primary_language(language))
    value = None if forms is None else _counting(words_of(text[-400:])[-_LAST_WORDS:], forms)
    return value is not None and value < RATHER_DONE


def _only(words: list[str], lexicon: frozenset[str]) -> bool:
    return all(word in lexicon for word in words)


def _counting(words: list[str], forms: Forms) -> float | None:
    """Digits or letters in progress at the end: low. None where nothing is counted or spelled."""
    tail = 0
    while tail < len(words) and (
        words[-1 - tail] in forms.digits or words[-1 - tail].isdigit() or len(words[-1 - tail]) == 1
    ):
        tail += 1
    singles = [word for word in words[len(words) - tail :] if word not in forms.single_words]
    if not singles:
        return None
    digits = sum(_digit_count(word, forms) for word in singles)
    before = words[: len(words) - tail]
    if _announces(before, forms):
        # A telephone number has seven digits or more; what is shorter probably goes on.
        return RATHER_DONE if digits >= 10 else RATHER_OPEN if digits >= 7 else OPEN
    if len(singles) >= 3:
        return RATHER_DONE if digits >= 10 else RATHER_OPEN
    return None


def _digit_count(word: str, forms: Forms) -> int:
    return len(word) if word.isdigit() else int(word in forms.digits)


def _announces(before: list[str], forms: Forms) -> bool:
    return bool(before) and forms.announcements.search(" ".join(before[-6:])) is not None
