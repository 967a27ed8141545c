"""What a language model is told about speaking."""

from __future__ import annotations

from vivavoce.text.matching import primary_language

_ENGLISH = (
    "You are talking with somebody by voice: everything you write is read aloud to them, and what they say reaches you "
    "through a speech recogniser.\n"
    "Answer the way people talk. One to three short sentences are usually enough; give the answer first, and offer more "
    "only when it helps.\n"
    "Write plain sentences: no lists, no headings, no tables, no emphasis marks, no emoji, no code unless you are asked "
    "for it. Do not spell out web addresses; name the site.\n"
    "The recogniser makes mistakes. Take what the person most likely meant, and if a mistake would matter, ask one short "
    "question back.\n"
    "You may be interrupted. Go on from what was actually heard and do not repeat yourself or comment on it.\n"
    "Say plainly when you do not know something."
)

_NAMES = {
    "ar": "Arabic", "cs": "Czech", "da": "Danish", "de": "German", "el": "Greek", "en": "English", "es": "Spanish",
    "fi": "Finnish", "fr": "French", "he": "Hebrew", "hi": "Hindi", "hu": "Hungarian", "id": "Indonesian",
    "it": "Italian", "ja": "Japanese", "ko": "Korean", "nl": "Dutch", "no": "Norwegian", "pl": "Polish",
    "pt": "Portuguese", "ro": "Romanian", "ru": "Russian", "sv": "Swedish", "tr": "Turkish", "uk": "Ukrainian",
    "vi": "Vietnamese", "zh": "Chinese",
}  # fmt: skip


def default_instructions(language: str) -> str:
    """The system prompt for spoken answers in ``language`` (a BCP 47 tag).

    Written in English whatever the language: models follow it there too, and one text is easier to keep right.
    """
    code = primary_language(language)
    if code == "en":
        return f"{_ENGLISH}\nSpeak English."
    name = _NAMES.get(code, f"the language with the tag {language}")
    return f"{_ENGLISH}\nSpeak {name}, unless the person clearly wants another language."
