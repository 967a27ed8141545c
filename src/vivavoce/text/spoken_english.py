"""English as it is spoken: numbers, dates, times, money, units, signs and abbreviations in words."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable

from vivavoce.text import english_data as data
from vivavoce.text.english_numbers import MOST_DIGITS, cardinal, decimal, digits, fraction, ordinal, year
from vivavoce.text.traced import Traced

Spoken = tuple[str, int] | None


def _any(words: Iterable[str]) -> str:
    return "|".join(re.escape(word) for word in sorted(words, key=len, reverse=True))


_N = r"(?:\d{1,3}(?:,\d{3}){1,6}(?!,?\d)(?:\.\d{1,20})?|\d{1,1000}(?:\.\d{1,20})?)"
_MONTH = (
    r"(?:Jan(?:uary)?|Feb(?:ruary)?|Mar(?:ch)?|Apr(?:il)?|May|June?|July?|Aug(?:ust)?|Sept?(?:ember)?|Oct(?:ober)?|"
    r"Nov(?:ember)?|Dec(?:ember)?)"
)
_YEAR = r"[12]\d{3}(?![\d,.]\d)(?!\d)"
_MAGNITUDE = r"thousand|million|billion|trillion|hundred"
_SIGNS = "&@+=≈±≤≥≠×÷→⇒<>%°√∞π§†‡^~#/\\\\*−•←$€£{}·∼"

_FRACTIONS = "".join(data.FRACTION_SIGNS)

_DATES = (
    r"(?P<iso>(?P<iso_year>\d{4})-(?P<iso_month>\d{2})-(?P<iso_day>\d{2})(?![\d-]))"
    r"|(?P<slashed>(?P<first>\d{1,2})/(?P<second>\d{1,2})/(?P<third>\d{4}|\d{2})(?![\w/]))"
    rf"|(?P<day_month>(?P<dm_day>\d{{1,2}})(?:st|nd|rd|th)?\ (?P<dm_month>{_MONTH})\b(?:,?\ (?P<dm_year>{_YEAR}))?)"
    r"|(?P<time>(?P<hour>[01]?\d|2[0-4]):(?P<minute>[0-5]\d)(?::(?P<second_of>[0-5]\d))?(?![:\d])"
    r"(?:\ ?(?P<half>[AaPp])(?:\.[Mm]\.|[Mm]\b))?)"
    r"|(?P<hour_only>(?P<oclock>1[0-2]|[1-9])\ ?(?P<half_of>[AaPp])(?:\.[Mm]\.|[Mm]\b))"
)
_MONTH_DAY = (
    rf"(?P<month_day>(?P<md_month>{_MONTH})\.?\ (?P<md_day>\d{{1,2}})(?:st|nd|rd|th)?(?![\w%]|[:.,]\d)"
    rf"(?:,?\ (?P<md_year>{_YEAR}))?)"
)
_NUMBERS = (
    r"(?P<phone>\+\d[\d\ .()-]{6,20}(?<=\d)(?!\w)|\(\d{3}\)\ ?\d{3}-\d{4}(?!\w)|\d{3}[-.\ ]\d{3}[-.\ ]\d{4}(?!\w)"
    r"|\d{3}-\d{4}(?![\w-])|1-\d{3}-\d{3}-\d{4}(?!\w))"
    rf"|(?P<money>(?P<sign>[$€£¥₹])\ ?(?P<amount>{_N})(?:\ ?[-–]\ ?[$€£¥₹]?(?P<amount_to>{_N}))?"
    rf"(?:\ ?(?P<times>{_MAGNITUDE}|bn|mn|tn|[kKmMbBT])(?!\w))?)"
    rf"|(?P<money_behind>(?P<amount_before>{_N})(?:\ (?P<times_before>{_MAGNITUDE}))?\ ?(?P<sign_behind>[€£$])(?!\d))"
    r"|(?P<version>(?P<letter>[vV])?(?P<parts>\d{1,5}(?:\.\d{1,5}){2,5})(?!\w))"
    r"|(?P<ordinal>(?P<rank>\d{1,3}(?:,\d{3}){1,3}|\d{1,9})(?:st|nd|rd|th)(?!\w))"
    r"|(?P<decade>(?P<decade_year>(?:1[1-9]|20)\d0)['’]?s(?!\w))"
    r"|(?P<fraction>(?:(?P<mixed>\d{1,4})\ )?(?P<over>\d{1,4})/(?P<under>\d{1,4})(?![\w/]))"
    r"|(?P<ratio>(?P<ratio_one>\d{1,4}):(?P<ratio_other>\d{1,4})(?![\w:]))"
    r"|(?P<product>(?P<factor>\d{1,9})\ ?[x×]\ ?(?P<factor_other>\d{1,9})(?!\w))"
    rf"|(?P<range>(?P<low>{_N})(?:\ ?–\ ?|-)(?P<high>{_N})"
    rf"(?:\ ?(?P<range_percent>%)|\ ?(?P<range_unit>{_any(data.UNITS)})(?!\w))?(?![\w-]))"
    rf"|(?P<measure>(?P<minus>[-−])?(?P<value>{_N})(?:\ (?P<scale>{_MAGNITUDE})(?!\w))?"
    rf"(?:\ ?(?P<percent>%)|(?P<joint>[ -])?(?P<unit>{_any(data.UNITS)})(?!\w)|(?P<fold>[xX])(?!\w))?)"
    rf"|(?P<fraction_sign>[{_FRACTIONS}])"
)
_SHORT = (
    rf"(?P<title>(?:{_any(data.TITLES)})(?=\ ?[A-Z]))"
    rf"|(?P<behind>(?:{_any(data.BEHIND_NAMES)})(?!\w))"
    rf"|(?P<numbered>(?i:{_any(data.BEFORE_NUMBERS)})\ ?(?=\d))"
    rf"|(?P<month>(?:{_any(word.capitalize() for word in data.MONTH_ABBREVIATIONS)})(?=\ ?\d))"
    rf"|(?P<short>(?i:{_any(data.ABBREVIATIONS)})(?!\w))"
)
_SPELLED = re.compile(
    rf"(?<![^\W_])(?:(?=[\d+(vV$€£¥₹−{_FRACTIONS}-])(?:{_DATES}|{_NUMBERS})"
    rf"|(?=[JFMASOND])(?:{_MONTH_DAY})|(?=[a-zA-Z]{{1,6}}[./]|vs\b)(?:{_SHORT}))"
    r"|(?P<language>\b[CcFf]\#(?!\w)|\b[CcGg]\+\+)"
    r"|(?P<power>(?<=\w)[²³])"
    r"|(?P<number_sign>\#(?=\d))"
    r"|(?P<subtracted>(?<=\d)\ -\ (?=\d))"
    r"|(?P<run>(?P<one>[=*~^\#+<>@&/$%])(?P=one){2,})"
    rf"|(?P<alone>=>|->|<=|>=|!=|==|[{_SIGNS}])"
)
_NEEDED = re.compile(rf"\d|[{_SIGNS}²³{_FRACTIONS}]|[a-zA-Z]\.(?=.)|[a-z]\.\Z|\bvs\b")


def spelled_out(traced: Traced) -> Traced:
    """``traced`` (plain text in one line) with everything in words that a reader of English would say in words."""
    if _NEEDED.search(traced.text) is None:
        return traced
    return traced.substituted(_SPELLED, _replaced)


def _replaced(match: re.Match[str]) -> Spoken:
    spoken = _HANDLERS[str(match.lastgroup)](match)
    if spoken is None:
        return None
    following = match.string[match.end() : match.end() + 1]
    before = match.string[match.start() - 1 : match.start()]
    # "3D" and "x=5": words stay apart from what stood close to the sign.
    apart = " " if following.isalnum() and spoken and spoken[-1] != " " else ""
    return (" " if before.isalnum() and not spoken.startswith(" ") else "") + spoken + apart, match.end()


def _number(text: str) -> str:
    """A plain number: years as years, long ones and those with leading zeros digit by digit."""
    if text.isdecimal():
        if len(text) == 4 and "1100" <= text < "2100":
            return year(int(text))
        if len(text) >= 10:
            return digits(text)
    return decimal(text)


def _date(day: str, month: int, of_year: str | None) -> str | None:
    if not (1 <= month <= 12 and 1 <= int(day) <= 31):
        return None
    spoken = f"{data.MONTHS[month - 1]} {ordinal(int(day))}"
    return f"{spoken}, {_year(of_year)}" if of_year else spoken


def _year(text: str) -> str:
    number = int(text)
    if len(text) == 2:
        number += 2000 if number < 70 else 1900
    return year(number) if number >= 1000 else cardinal(number)


def _month(name: str) -> int:
    return data.MONTH_NUMBERS[name[:3].lower()]


def _iso(match: re.Match[str]) -> str | None:
    spoken = _date(match["iso_day"], int(match["iso_month"]), match["iso_year"])
    return digits(match.group()) if spoken is None else spoken


def _slashed(match: re.Match[str]) -> str:
    """American order, unless only the other is possible."""
    first, second = match["first"], match["second"]
    spoken = _date(second, int(first), match["third"]) or _date(first, int(second), match["third"])
    return spoken or " ".join(decimal(part) for part in match.group().split("/"))


def _day_month(match: re.Match[str]) -> str | None:
    spoken = _date(match["dm_day"], _month(match["dm_month"]), match["dm_year"])
    return spoken or f"{cardinal(int(match['dm_day']))} {match['dm_month']}"


def _month_day(match: re.Match[str]) -> str | None:
    spoken = _date(match["md_day"], _month(match["md_month"]), match["md_year"])
    return spoken or f"{match['md_month']} {cardinal(int(match['md_day']))}"


def _time(match: re.Match[str]) -> str:
    hour, minute, half = int(match["hour"]), int(match["minute"]), match["half"]
    spoken = cardinal(hour)
    if minute:
        spoken += f" {'oh ' if minute < 10 else ''}{cardinal(minute)}"
    elif not half:
        spoken += " o'clock" if hour <= 12 else " hundred"
    if match["second_of"]:
        spoken += f" and {_counted(match['second_of'].lstrip('0') or '0', data.UNITS['s'])}"
    return _with_half(spoken, half, match)


def _hour_only(match: re.Match[str]) -> str:
    return _with_half(cardinal(int(match["oclock"])), match["half_of"], match)


def _with_half(spoken: str, half: str | None, match: re.Match[str]) -> str:
    if not half:
        return spoken
    return f"{spoken} {half.upper()}M" + _full_stop(match)


def _full_stop(match: re.Match[str]) -> str:
    """The dot of an abbreviation is a full stop too where a sentence ends behind it."""
    if not match.group().endswith("."):
        return ""
    rest = match.string[match.end() : match.end() + 3]
    ends = not rest.strip("\"'”’) ") or (rest[0] == " " and rest[1:2].isupper())
    return "." if ends else ""


def _money(match: re.Match[str]) -> str:
    amount, to, times = match["amount"], match["amount_to"], match["times"]
    if to:
        low = decimal(amount)
        return f"{low} to {_amount(to, times, data.CURRENCIES[match['sign']])}"
    return _amount(amount, times, data.CURRENCIES[match["sign"]])


def _money_behind(match: re.Match[str]) -> str:
    return _amount(match["amount_before"], match["times_before"], data.CURRENCIES[match["sign_behind"]])


def _amount(amount: str, times: str | None, names: tuple[str, str, str, str]) -> str:
    one, many, cent, cents = names
    if times:
        return f"{decimal(amount)} {data.MAGNITUDES[times]} {many}"
    whole, _, part = amount.replace(",", "").partition(".")
    if len(part) != 2 or len(whole) > MOST_DIGITS:
        return f"{decimal(amount)} {one if amount == '1' else many}"
    units, hundredths = int(whole), int(part)
    spoken = f"{cardinal(units)} {one if units == 1 else many}"
    if not hundredths:
        return spoken
    small = f"{cardinal(hundredths)} {cent if hundredths == 1 else cents}"
    return f"{spoken} and {small}" if units else small


def _phone(match: re.Match[str]) -> str:
    groups = [digits(group) for group in re.split(r"[^\d]+", match.group()) if group]
    return ("plus " if match.group()[0] == "+" else "") + ", ".join(groups)


def _version(match: re.Match[str]) -> str:
    spoken = " point ".join(cardinal(int(part)) for part in match["parts"].split("."))
    return f"version {spoken}" if match["letter"] else spoken


def _decade(match: re.Match[str]) -> str:
    words = year(int(match["decade_year"]))
    return words[:-1] + "ies" if words.endswith("y") else words + "s"


def _fraction(match: re.Match[str]) -> str:
    over, under = int(match["over"]), int(match["under"])
    spoken = f"{cardinal(over)} {cardinal(under)}" if match.group() in _PAIRS else fraction(over, under)
    if not match["mixed"]:
        return spoken
    return f"{cardinal(int(match['mixed']))} and {'a' + spoken[3:] if spoken.startswith('one ') else spoken}"


_PAIRS = frozenset({"24/7", "50/50", "9/11"})


def _fraction_sign(match: re.Match[str]) -> str:
    return fraction(*data.FRACTION_SIGNS[match.group()])


def _ratio(match: re.Match[str]) -> str:
    return f"{decimal(match['ratio_one'])} to {decimal(match['ratio_other'])}"


def _product(match: re.Match[str]) -> str:
    return f"{decimal(match['factor'])} by {decimal(match['factor_other'])}"


def _range(match: re.Match[str]) -> str:
    low, high, unit = match["low"], match["high"], match["range_unit"]
    if match["range_percent"]:
        return f"{decimal(low)} to {decimal(high)} percent"
    if unit:
        return f"{decimal(low)} to {_counted(high, data.UNITS[unit])}"
    return f"{_number(low)} to {_number(high)}"


def _measure(match: re.Match[str]) -> str:
    value, unit, scale = match["value"], match["unit"], match["scale"]
    minus = "minus " if match["minus"] else ""
    if scale:
        value_words = f"{decimal(value)} {scale}"
        return minus + value_words + (f" {data.UNITS[unit][1]}" if unit else " percent" if match["percent"] else "")
    if match["percent"]:
        return f"{minus}{decimal(value)} percent"
    if match["fold"]:
        return f"{decimal(value)} times"
    if unit:
        if match["joint"] == "-":
            return f"{minus}{decimal(value)} {data.UNITS[unit][0]}"
        return minus + _counted(value, data.UNITS[unit])
    return minus + (decimal(value) if minus else _number(value))


def _counted(value: str, names: tuple[str, str]) -> str:
    return f"{decimal(value)} {names[value != '1']}"


def _short(match: re.Match[str]) -> str:
    found = match.group().lower()
    return data.ABBREVIATIONS[found] + (_full_stop(match) if found == "etc." else "")


def _behind(match: re.Match[str]) -> str | None:
    before = match.string[: match.start()].rstrip(" ,")
    if not before or not before[-1].isalnum():
        return None
    return data.BEHIND_NAMES[match.group()] + _full_stop(match)


def _power(match: re.Match[str]) -> str:
    return f" {data.POWERS[match.group()]}"


def _language(match: re.Match[str]) -> str:
    return f"{match.group()[0].upper()} {'sharp' if match.group()[1] == '#' else 'plus plus'}"


def _alone(match: re.Match[str]) -> str:
    return f" {data.SIGNS[match.group()]} "


_HANDLERS: dict[str, Callable[[re.Match[str]], str | None]] = {
    "iso": _iso,
    "slashed": _slashed,
    "day_month": _day_month,
    "month_day": _month_day,
    "time": _time,
    "hour_only": _hour_only,
    "phone": _phone,
    "money": _money,
    "money_behind": _money_behind,
    "version": _version,
    "ordinal": lambda match: ordinal(int(match["rank"].replace(",", ""))),
    "decade": _decade,
    "fraction": _fraction,
    "fraction_sign": _fraction_sign,
    "ratio": _ratio,
    "product": _product,
    "range": _range,
    "measure": _measure,
    "title": lambda match: data.TITLES[match.group()],
    "behind": _behind,
    "numbered": lambda match: data.BEFORE_NUMBERS[match.group().strip().lower()] + " ",
    "month": lambda match: data.MONTH_ABBREVIATIONS[match.group().lower()],
    "short": _short,
    "language": _language,
    "power": _power,
    "number_sign": lambda match: "number ",
    "subtracted": lambda match: " minus ",
    "run": lambda match: " ",
    "alone": _alone,
}
