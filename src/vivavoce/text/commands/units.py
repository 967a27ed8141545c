"""Units and their sizes, exact by definition (international yard and pound of 1959, US liquid measures)."""

from __future__ import annotations

from fractions import Fraction

_SIZES: dict[str, dict[str, str]] = {
    "length": {
        "metre": "1",
        "kilometre": "1000",
        "centimetre": "0.01",
        "millimetre": "0.001",
        "mile": "1609.344",
        "yard": "0.9144",
        "foot": "0.3048",
        "inch": "0.0254",
    },
    "mass": {
        "kilogram": "1",
        "gram": "0.001",
        "pound": "0.45359237",
        "ounce": "0.028349523125",
        "stone": "6.35029318",
    },
    "volume": {
        "litre": "1",
        "millilitre": "0.001",
        "gallon": "3.785411784",
        "pint": "0.473176473",
        "cup": "0.2365882365",
    },
    "time": {"second": "1", "minute": "60", "hour": "3600", "day": "86400", "week": "604800"},
}
# Kelvin = (value + offset) × factor.
_TEMPERATURES = {
    "kelvin": (Fraction(0), Fraction(1)),
    "celsius": (Fraction("273.15"), Fraction(1)),
    "fahrenheit": (Fraction("459.67"), Fraction(5, 9)),
}


def convert(amount: Fraction, source: str, target: str) -> Fraction | None:
    """``amount`` of ``source`` in ``target``, exact; None where they measure different things."""
    if source in _TEMPERATURES and target in _TEMPERATURES:
        offset, factor = _TEMPERATURES[source]
        other_offset, other_factor = _TEMPERATURES[target]
        return (amount + offset) * factor / other_factor - other_offset
    for sizes in _SIZES.values():
        if source in sizes and target in sizes:
            return amount * Fraction(sizes[source]) / Fraction(sizes[target])
    return None
