"""Text to speech with the models of sherpa-onnx: VITS, Matcha, Kokoro and Kitten. Apache-2.0."""

from vivavoce.engines.sherpa_tts.engine import SherpaTts, SherpaTtsSynthesis

__all__ = ["SherpaTts", "SherpaTtsSynthesis"]
