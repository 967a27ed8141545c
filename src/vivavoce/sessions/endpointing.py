"""How long to wait behind the last speech sample before the turn counts as over: one graded function.

The wait grows smoothly from ``min_wait`` to ``max_wait`` as the likelihood falls that the speaker is done. That likelihood
joins two independent witnesses, the sound of the last seconds (a turn detector) and the form of the words so far, in the
log-odds domain. A speaker who is known to pause within turns is given that pause; digits and spelling are given more.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from vivavoce.sessions.options import EndpointingOptions, Hint

CONFIDENT = 0.9
"""Likelihood from which on nothing is waited for beyond ``min_wait``."""
DOUBTFUL = 0.1
"""Likelihood up to which the whole ``max_wait`` is waited for."""
CURVE = 1.5
"""Exponent of the wait between the two: 0.5 waits for 35 % of ``max_wait``, 0.7 for an eighth."""
SOUND_WEIGHT = 0.6
"""Weight of the turn detector against the words; sound hears hesitation that words do not show."""
SOUND_NEEDS = 2.0
"""Voiced seconds from which on the detector has its full weight: on single words and short phrases it guesses (measured:
they score near 1 even when cut in the middle, and short whole questions sometimes near 0)."""
WHOLE = 0.85
"""Completeness from which on the words are a question or an order with all that belongs to it (``text.completeness``)."""
STATEMENT_WAIT = 0.55
"""Seconds waited for behind words that are no such thing, unless the sound is sure: a statement rather goes on than a
question or an order does."""
STATEMENT_SURE, STATEMENT_DOUBTED = 0.87, 0.77
"""Likelihood from which on a statement is not waited for on that account, and up to which wholly."""
SURENESS = 0.97
"""Neither witness is believed beyond this, nor below its complement."""
HINT_FLOOR = {"none": 0.0, "digits": 0.7, "spelling": 0.7}
"""Seconds always waited for where groups of digits or letters are expected."""
LEARNING_RATE, FORGETTING_RATE = 0.5, 0.15
"""Weight of the newest pause in the running mean of a speaker's pauses, if it is longer than that, and if it is shorter: a
long pause tells what may come again, a short one little."""
SHORTEST_PAUSE = 0.2
"""Seconds under which a silence is no pause but a stop consonant or a breath, and teaches nothing."""
PAUSE_MARGIN = 1.3
"""How much longer than the speaker's usual pause is waited for, at most."""

TELLING_FROM, TELLING_TO, TELLING_WAIT = 3.0, 8.0, 0.9
"""Voiced seconds from which on a turn is a telling, and from which on wholly so, and the seconds waited for then: whoever
reads aloud, dictates or explains pauses between whole sentences, and neither sound nor words tell the last of them. Most
questions and commands are shorter."""
TELLING_PAUSE = 0.2
"""How much of a telling each pause makes a turn that was gone on with."""
REOPENED_WAIT = 1.0
"""Seconds waited for in a turn whose end was decided too soon before."""
MAX_CAUTION = 0.7
"""Most seconds waited for on account of an earlier cut-off."""
CAUTION_FADES = 0.7
"""What is left of the caution after a turn that was not cut off."""
MIN_PATIENCE, MAX_PATIENCE = 0.16, 0.3
"""Seconds the detector's answer is waited for when the words are as sure as can be, and when they say nothing."""


@dataclass(frozen=True, slots=True)
class Evidence:
    """What is known at a pause.

    ``sound`` and ``words`` are likelihoods 0–1 that the speaker is done, None if unknown; ``voiced`` is how many seconds of
    voice the sound was judged by. ``telling`` seconds are waited for because the turn is a long one, and ``caution``
    seconds, however eager one is, because this speaker was cut off lately.
    """

    sound: float | None = None
    words: float | None = None
    voiced: float = SOUND_NEEDS
    usual_pause: float | None = None
    hint: Hint = "none"
    caution: float = 0.0
    telling: float = 0.0


def likelihood(evidence: Evidence) -> float:
    """Join both witnesses: weighted mean of log-odds; 0.5 where nothing is known."""
    trust = SOUND_WEIGHT * min(1.0, evidence.voiced / SOUND_NEEDS)
    known = [
        (weight, value)
        for weight, value in ((trust, evidence.sound), (1 - SOUND_WEIGHT, evidence.words))
        if value is not None and weight > 0
    ]
    if not known:
        return 0.5
    total = sum(weight for weight, _ in known)
    return 1 / (1 + math.exp(-sum(weight * _log_odds(value) for weight, value in known) / total))


def _log_odds(value: float) -> float:
    clamped = min(SURENESS, max(1 - SURENESS, value))
    return math.log(clamped / (1 - clamped))


def wait(evidence: Evidence, options: EndpointingOptions) -> float:
    """Seconds to wait behind the last speech sample, between ``min_wait`` and ``max_wait`` (or the fixed silence)."""
    if options.fixed_silence is not None:
        return options.fixed_silence
    probability = likelihood(evidence)
    doubt = min(1.0, max(0.0, (CONFIDENT - probability) / (CONFIDENT - DOUBTFUL)))
    seconds = options.min_wait + (options.max_wait - options.min_wait) * math.pow(doubt, CURVE)
    if (evidence.words is None or evidence.words < WHOLE) and (evidence.sound is None or evidence.sound < SURENESS):
        open_end = (STATEMENT_SURE - probability) / (STATEMENT_SURE - STATEMENT_DOUBTED)
        seconds = max(seconds, STATEMENT_WAIT * min(1.0, max(0.0, open_end)))
    seconds = max(seconds, evidence.telling)
    if evidence.usual_pause is not None and doubt > 0:
        seconds = max(seconds, min(1.0, 2 * doubt) * PAUSE_MARGIN * evidence.usual_pause)
    seconds = max(seconds * math.pow(2, 1 - 2 * options.eagerness), HINT_FLOOR[evidence.hint], evidence.caution)
    return min(options.max_wait, max(options.min_wait, seconds))


def telling(voiced: float, pauses: int) -> float:
    """Seconds always waited for in a turn of so many ``voiced`` seconds, gone on with behind so many ``pauses``."""
    length = max(0.0, (voiced - TELLING_FROM) / (TELLING_TO - TELLING_FROM))
    return TELLING_WAIT * min(1.0, length + TELLING_PAUSE * pauses)


def patience(words: float | None) -> float:
    """Seconds behind the last speech sample the turn detector's answer is waited for.

    The surer the words are, the less it can change.
    """
    if words is None:
        return MAX_PATIENCE
    doubt = min(1.0, max(0.0, (SURENESS - words) / (SURENESS - 0.5)))
    return MIN_PATIENCE + (MAX_PATIENCE - MIN_PATIENCE) * doubt


class PauseLearner:
    """How long this speaker pauses within a turn: a running mean, upwards fast, of pauses that turned out to be none."""

    def __init__(self, enabled: bool = True) -> None:
        self._enabled = enabled
        self._usual: float | None = None
        self._caution = 0.0

    @property
    def usual(self) -> float | None:
        """Seconds, or None until a first pause was learned."""
        return self._usual

    @property
    def caution(self) -> float:
        """Seconds to wait at least, because this speaker was cut off lately; fades with each turn that was not."""
        return self._caution

    def learn_cut_off(self, pause: float) -> None:
        """A turn was judged over ``pause`` seconds before the speaker went on."""
        if self._enabled and pause > 0:
            self._caution = max(self._caution, min(MAX_CAUTION, PAUSE_MARGIN * pause))

    def learn_end(self) -> None:
        """A turn was over when it was judged to be."""
        self._caution = 0.0 if self._caution < 0.05 else self._caution * CAUTION_FADES

    def learn(self, pause: float) -> None:
        """A pause of so many seconds was followed by more speech of the same turn."""
        if not self._enabled or pause < SHORTEST_PAUSE:
            return
        usual = pause if self._usual is None else self._usual
        self._usual = usual + (LEARNING_RATE if pause > usual else FORGETTING_RATE) * (pause - usual)
