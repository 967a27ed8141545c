"""Speech to text with Whisper models on CTranslate2 (faster-whisper): accurate, multilingual, and not streaming."""

from vivavoce.engines.whisper.engine import Whisper

__all__ = ["Whisper"]
