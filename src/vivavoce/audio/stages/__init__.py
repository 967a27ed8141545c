"""Stages a stream of samples can pass: noise suppression and echo cancellation."""

from vivavoce.audio.stages.processing import RATES, EchoCanceller, NoiseSuppressor

__all__ = ["RATES", "EchoCanceller", "NoiseSuppressor"]
