"""What English signs, units and abbreviations are called."""

from __future__ import annotations

MONTHS = (
    "January", "February", "March", "April", "May", "June", "July", "August", "September", "October", "November", "December",
)  # fmt: skip
MONTH_NUMBERS = {name[:3].lower(): number for number, name in enumerate(MONTHS, 1)}

CURRENCIES = {
    "$": ("dollar", "dollars", "cent", "cents"),
    "€": ("euro", "euros", "cent", "cents"),
    "£": ("pound", "pounds", "penny", "pence"),
    "¥": ("yen", "yen", "sen", "sen"),
    "₹": ("rupee", "rupees", "paisa", "paise"),
}
MAGNITUDES = {
    "k": "thousand", "K": "thousand", "m": "million", "M": "million", "mn": "million", "bn": "billion", "b": "billion",
    "B": "billion", "tn": "trillion", "T": "trillion", "thousand": "thousand", "million": "million", "billion": "billion",
    "trillion": "trillion", "hundred": "hundred",
}  # fmt: skip

UNITS = {
    "km/h": ("kilometre per hour", "kilometres per hour"),
    "km²": ("square kilometre", "square kilometres"),
    "m²": ("square metre", "square metres"),
    "m³": ("cubic metre", "cubic metres"),
    "m/s": ("metre per second", "metres per second"),
    "mph": ("mile per hour", "miles per hour"),
    "km": ("kilometre", "kilometres"),
    "cm": ("centimetre", "centimetres"),
    "mm": ("millimetre", "millimetres"),
    "µm": ("micrometre", "micrometres"),
    "nm": ("nanometre", "nanometres"),
    "kg": ("kilogram", "kilograms"),
    "mg": ("milligram", "milligrams"),
    "µg": ("microgram", "micrograms"),
    "g": ("gram", "grams"),
    "lbs": ("pound", "pounds"),
    "lb": ("pound", "pounds"),
    "oz": ("ounce", "ounces"),
    "ml": ("millilitre", "millilitres"),
    "mL": ("millilitre", "millilitres"),
    "l": ("litre", "litres"),
    "L": ("litre", "litres"),
    "ft": ("foot", "feet"),
    "yd": ("yard", "yards"),
    "mi": ("mile", "miles"),
    "kWh": ("kilowatt hour", "kilowatt hours"),
    "kW": ("kilowatt", "kilowatts"),
    "MW": ("megawatt", "megawatts"),
    "W": ("watt", "watts"),
    "kHz": ("kilohertz", "kilohertz"),
    "MHz": ("megahertz", "megahertz"),
    "GHz": ("gigahertz", "gigahertz"),
    "Hz": ("hertz", "hertz"),
    "TB": ("terabyte", "terabytes"),
    "GB": ("gigabyte", "gigabytes"),
    "MB": ("megabyte", "megabytes"),
    "KB": ("kilobyte", "kilobytes"),
    "kB": ("kilobyte", "kilobytes"),
    "Mbps": ("megabit per second", "megabits per second"),
    "Gbps": ("gigabit per second", "gigabits per second"),
    "dB": ("decibel", "decibels"),
    "kcal": ("kilocalorie", "kilocalories"),
    "°C": ("degree Celsius", "degrees Celsius"),
    "°F": ("degree Fahrenheit", "degrees Fahrenheit"),
    "°": ("degree", "degrees"),
    "hrs": ("hour", "hours"),
    "hr": ("hour", "hours"),
    "h": ("hour", "hours"),
    "mins": ("minute", "minutes"),
    "min": ("minute", "minutes"),
    "secs": ("second", "seconds"),
    "sec": ("second", "seconds"),
    "s": ("second", "seconds"),
    "ms": ("millisecond", "milliseconds"),
    "m": ("metre", "metres"),
}
"""Units behind a number, singular and plural."""

ABBREVIATIONS = {
    "e.g.": "for example", "i.e.": "that is", "etc.": "et cetera", "vs.": "versus", "vs": "versus",
    "approx.": "approximately", "dept.": "department", "w/": "with", "w/o": "without", "b/c": "because",
    "a.k.a.": "also known as", "cf.": "compare",
}  # fmt: skip
"""Abbreviations anywhere, in lower case."""
TITLES = {
    "Dr.": "Doctor", "Mr.": "Mister", "Mrs.": "Missus", "Ms.": "Ms", "Prof.": "Professor", "Gov.": "Governor",
    "Sen.": "Senator", "Rep.": "Representative", "Gen.": "General", "Capt.": "Captain", "Lt.": "Lieutenant",
    "Sgt.": "Sergeant", "Rev.": "Reverend", "Hon.": "Honourable", "Mt.": "Mount", "St.": "Saint",
}  # fmt: skip
"""Abbreviations in front of a name."""
BEHIND_NAMES = {
    "Jr.": "Junior", "Sr.": "Senior", "Inc.": "Incorporated", "Ltd.": "Limited", "Corp.": "Corporation", "Co.": "Company",
    "St.": "Street", "Ave.": "Avenue", "Blvd.": "Boulevard", "Rd.": "Road",
}  # fmt: skip
"""Abbreviations behind a name."""
BEFORE_NUMBERS = {
    "no.": "number", "nos.": "numbers", "nr.": "number", "fig.": "figure", "figs.": "figures", "p.": "page", "pp.": "pages",
    "vol.": "volume", "ch.": "chapter", "sec.": "section", "eq.": "equation", "ver.": "version", "v.": "version",
}  # fmt: skip
MONTH_ABBREVIATIONS = {
    "jan.": "January", "feb.": "February", "mar.": "March", "apr.": "April", "jun.": "June", "jul.": "July",
    "aug.": "August", "sep.": "September", "sept.": "September", "oct.": "October", "nov.": "November", "dec.": "December",
}  # fmt: skip

SIGNS = {
    "&": "and", "@": "at", "+": "plus", "=": "equals", "≈": "approximately", "±": "plus or minus", "≤": "at most",
    "≥": "at least", "≠": "does not equal", "×": "times", "÷": "divided by", "→": "to", "⇒": "so", "<": "less than",
    ">": "greater than", "%": "percent", "°": "degrees", "√": "the square root of", "∞": "infinity", "π": "pi",
    "§": "section", "†": "", "‡": "", "^": "to the power of", "~": "about", "#": "", "/": "", "\\": "", "*": "times",
    "−": "minus", "•": "", "=>": "so", "->": "to", "<=": "at most", ">=": "at least", "!=": "does not equal",
    "==": "equals", "←": "from", "$": "dollar", "€": "euro", "£": "pound", "{": "", "}": "", "·": "", "∼": "about",
}  # fmt: skip
"""Signs by themselves. An empty name is a short gap."""

FRACTION_SIGNS = {
    "½": (1, 2), "⅓": (1, 3), "⅔": (2, 3), "¼": (1, 4), "¾": (3, 4), "⅕": (1, 5), "⅖": (2, 5), "⅗": (3, 5), "⅘": (4, 5),
    "⅙": (1, 6), "⅚": (5, 6), "⅛": (1, 8), "⅜": (3, 8), "⅝": (5, 8), "⅞": (7, 8),
}  # fmt: skip
POWERS = {"²": "squared", "³": "cubed"}
