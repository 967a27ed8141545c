"""The one source of commands: what the built-in agent understands and the built-in recogniser listens for.

Sentences are data (one YAML per language); everything here is arithmetic on them. ``source`` loads them, ``grammar`` makes
the matcher's templates and the recogniser's grammar of them, ``answers`` and ``results`` say what is answered.
"""

from vivavoce.text.commands.grammar import examples, intent_templates, speech_grammar
from vivavoce.text.commands.source import CommandSource, languages, load
from vivavoce.text.commands.tools import COMMAND_TOOLS

__all__ = ["COMMAND_TOOLS", "CommandSource", "examples", "intent_templates", "languages", "load", "speech_grammar"]
