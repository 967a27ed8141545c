"""Words that decide where sentences end and where they may be divided, by language."""

from __future__ import annotations

import re


def _words(listed: str) -> frozenset[str]:
    return frozenset(listed.split())


ABBREVIATIONS = {
    "en": _words(
        "mr mrs ms mx dr prof rev hon gen col capt lt sgt cmdr gov sen rep pres st mt ft messrs e.g i.e eg ie vs viz cf "
        "approx ca dept est al assn bros feat incl min max avg misc resp esp jan feb mar apr jun jul aug sep sept oct "
        "nov dec mon tue tues wed thu thur thurs fri"
    ),
    "de": _words(
        "z.b d.h u.a u.u i.d.r v.a o.ä s.o s.u z.t hr fr dipl ing bzw ggf evtl ca str nr tel inkl exkl zzgl abs art vgl "
        "geb gest st dr prof usf sog allg max min mind jhd jh mio mrd"
    ),
    "es": _words("sr sra srta sres dr dra ud uds d dña prof av avda núm pág págs tel etc.. p.ej ej aprox gral ee"),
    "fr": _words("m mm mme mmes mlle mlles dr pr me st ste av bd env p.ex ex cf c.-à-d tél vol chap éd"),
}
"""Abbreviations that never end a sentence, without their last dot."""

MAY_END = _words("etc a.m p.m inc ltd co corp jr sr usw usf u.s.w")
"""Abbreviations that end a sentence if a capital follows."""

BEFORE_NUMBERS = _words("no nos nr nº núm fig figs p pp vol vols ch chap sec art op eq ver v")
"""Abbreviations if a number follows, otherwise words."""

STARTERS = {
    "en": _words(
        "the a an it it's its this that these those he she they we you i i'm i'll i'd i've there there's here here's if "
        "in on at when while what why how where who but and so then however also for as after before my your his her "
        "our their is are was were do does did can could would should let let's please yes no not now today some many "
        "most one because although since with without to by from"
    ),
    "de": _words(
        "der die das den dem ein eine einen es er sie wir ihr ich du dies diese dieser dieses und aber doch dann wenn "
        "weil im in am an auf auch so nun jetzt heute hier dort was wer wie wo warum bitte ja nein man mein dein"
    ),
    "es": _words(
        "el la los las un una es esto esta este eso y pero si en cuando como qué quién cómo dónde por para yo tú él ella "
        "nosotros hoy ahora sí no también además"
    ),
    "fr": _words(
        "le la les un une il elle ils elles on nous vous je tu c'est ce cette ces et mais si en dans quand comme que qui "
        "où pour aujourd'hui oui non aussi alors voici il"
    ),
}
"""Words that begin sentences: behind initials and dotted abbreviations they say that a new one has begun."""

ORDINAL_DOT = frozenset({"de", "da", "no", "nb", "fi", "cs", "hu", "pl", "sl", "hr"})
"""Languages that write ordinals as "3."."""


def _joint(listed: str) -> re.Pattern[str]:
    return re.compile(rf"\s(?=(?:{'|'.join(listed.split())})\s)", re.IGNORECASE)


JOINTS = {
    "en": _joint("and but or because so that which who when where while if although though unless until since as with than"),
    "de": _joint("und aber oder weil dass denn wenn als damit obwohl sondern mit sowie ob während bevor nachdem"),
    "es": _joint("y pero o porque que cuando donde si aunque mientras como para con pues sino"),
    "fr": _joint("et mais ou parce que qui quand où si lorsque puisque car avec pour comme donc"),
}
"""Where a long clause may be divided: in front of these words."""
