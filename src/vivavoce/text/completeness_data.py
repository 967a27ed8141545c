"""The words by which an utterance shows that it goes on or is done, by language."""

from __future__ import annotations

import re
from dataclasses import dataclass

_NEVER = re.compile(r"(?!)")


@dataclass(frozen=True, slots=True, eq=False)
class Forms:
    """Word lists of one language. All words are in lower case with straight apostrophes.

    ``open_words`` (conjunctions, articles, possessives) never end an utterance, ``prepositions`` rarely, ``auxiliaries``
    only in questions. ``particles`` are prepositions that may belong to one of ``particle_verbs``. ``askers`` are question
    words, ``inverted`` verbs that make a question before one of ``subjects``. ``orders`` begin an order; ``short_orders``
    are one by themselves. ``beginnings`` match utterances that need an object. ``announcements`` match what is followed
    by digits or letters, ``single_words`` are one-letter words that are no letters. ``subordinators`` begin a clause
    that waits for another. A preposition may end a question behind ``pronouns``. ``intransitive`` verbs
    need no object behind their particle. A question that ends in its verb has ``shortest_question`` words or more.
    """

    open_words: frozenset[str] = frozenset()
    prepositions: frozenset[str] = frozenset()
    auxiliaries: frozenset[str] = frozenset()
    fillers: frozenset[str] = frozenset()
    open_pairs: frozenset[str] = frozenset()
    closed_pairs: frozenset[str] = frozenset()
    particles: frozenset[str] = frozenset()
    particle_verbs: frozenset[str] = frozenset()
    transitive: frozenset[str] = frozenset()
    askers: frozenset[str] = frozenset()
    inverted: frozenset[str] = frozenset()
    subjects: frozenset[str] = frozenset()
    lead_ins: frozenset[str] = frozenset()
    orders: frozenset[str] = frozenset()
    short_orders: frozenset[str] = frozenset()
    order_pairs: tuple[str, ...] = ()
    whole: frozenset[str] = frozenset()
    stand_alone: frozenset[str] = frozenset()
    closing_words: frozenset[str] = frozenset()
    beginnings: re.Pattern[str] = _NEVER
    digits: frozenset[str] = frozenset()
    single_words: frozenset[str] = frozenset()
    announcements: re.Pattern[str] = _NEVER
    subordinators: frozenset[str] = frozenset()
    pronouns: frozenset[str] = frozenset()
    intransitive: frozenset[str] = frozenset()
    shortest_question: int = 3


def _words(listed: str) -> frozenset[str]:
    return frozenset(listed.split())


def _pairs(listed: str) -> frozenset[str]:
    return frozenset(listed.split(", "))


_ENGLISH = Forms(
    open_words=_words(
        "and or but nor because the a an my your his its our their if whether unless until although though while since "
        "than as that's every each into onto via per mr mrs ms dr whose which very really quite i'm you're we're they're "
        "he's she's it's there's here's who's where's what's how's when's i'll you'll we'll they'll i've we've they've i'd "
        "i we'd let's lets which's cause cos 'cause like such rather including except besides despite during i any "
        "just maybe probably almost usually only actually basically even"
    ),
    prepositions=_words(
        "to of in on at for with from by about under over between through against without around near after before "
        "behind off out up down across along toward towards inside outside within upon past above below"
    ),
    auxiliaries=_words(
        "is are was were am be been being will would shall should could can may might must do does did has have had "
        "don't doesn't didn't won't wouldn't can't couldn't shouldn't isn't aren't wasn't weren't haven't hasn't"
    ),
    fillers=_words("um uh uhm umm er erm uhh hmm mm eh ah"),
    open_pairs=_pairs(
        "so that, such as, in order, kind of, sort of, lots of, more than, less than, going to, want to, "
        "need to, have to, used to, trying to, able to, supposed to, you know, i mean, i think, i guess, i was, and then, "
        "so i, but i, and i, and so, or maybe, let me, let's see, even if, only if, what if, as if, at least, "
        "i wonder, i don't, instead of, because of, out of, next to, a few, a couple, so many, too many, how many, "
        "and also, well i, i just, i would, would like, i'd like, the most, the first, the next, the last, "
        "the other, another one and, or something and, whether or, what about, how about, "
        "think that, said that, says that, know that, hope that, sure that, remind me, the only, one of, some of, "
        "most of, all of, tell me, give me, show me, "
        "and maybe, maybe we, maybe i, then i, then we"
    ),
    closed_pairs=_pairs(
        "yes please, no thanks, thank you, excuse me, very much, i do, i don't know, i am, i can, i will, of course, "
        "all right, "
        "that's it, that's all, go on, come on, hold on, never mind, help me, it is, they are, i have, how come, "
        "i did, we are, come in, for now, me too, call me, do it, i could"
    ),
    particles=_words("in on off out up down over around about through by past inside outside near below above before along"),
    particle_verbs=_words(
        "turn turned switch switched come came go going shut set put take get got give hang wake look log sign calm slow "
        "speed carry move moved hold find it them that volume lights light heating music all fan tv radio  "
        "everything talk run hurry cheer eaten read played"
    ),
    transitive=_words(
        "want wants need needs like buy find show give tell bring send make takes put get mean means said says told wanted "
        "needed called named thinking looking some including also "
        "still always"
    ),
    askers=_words("what when where who whom whose which why how what's where's who's how's when's why's"),
    inverted=_words(
        "is are was were am do does did can could will would shall should have has had may might must isn't aren't don't "
        "doesn't didn't can't couldn't won't wouldn't haven't hasn't shouldn't"
    ),
    subjects=_words(
        "i you he she it we they this that these those there the a an my your his her our their any anyone anybody "
        "everyone somebody someone all some people i'm i've i'll i'd it's he's she's we're they're we'll there's that's "
        "you're we've nobody nothing everything"
    ),
    lead_ins=_words("and so but okay ok well hey oh um uh please then sorry hi hello now yeah yes no"),
    orders=_words(
        "turn set play stop pause start open close call show tell give remind cancel repeat add remove delete increase "
        "decrease lower raise dim switch lock unlock skip mute unmute resume wake search find read send convert translate "
        "calculate explain describe write roll flip toss speak say help go take make put get bring book order check spell "
        "shut hang wait please don't let look try come keep continue list name define sing count"
    ),
    short_orders=_words("stop pause cancel repeat help resume continue mute unmute skip wait"),
    order_pairs=("can you ", "could you ", "would you ", "will you ", "please ", "i'd like you to ", "i want you to "),
    whole=_pairs(
        "yes, no, yeah, yep, nope, okay, ok, sure, thanks, stop, hello, hi, hey, goodbye, bye, help, cancel, repeat, "
        "good morning, good night, good evening, right, correct, exactly, absolutely, definitely, maybe, perfect, "
        "that's right, that's wrong, i don't know, not really, not yet, of course, sounds good, got it, never mind, "
        "no problem, see you, see you later, i agree, i don't think so, i think so, i hope so, what, why, who, how, where, "
        "when, how so, what else, really, no way, again, say again, one more time, the first one, the second one, "
        "i'm done, that's all, that will be all, nothing, nothing else, please do, go ahead, what's up, how are you, "
        "the last one, both, neither, none, i am, i do, i did, yes it is, no it isn't, so do i, me too, not at all"
    ),
    stand_alone=_words(
        "yes no yeah yep nope okay ok sure thanks please right correct exactly hello hi hey bye goodbye stop cancel help "
        "great perfect fine good thank you absolutely definitely sorry alright cool wow"
    ),
    closing_words=_words(
        "please thanks today tomorrow yesterday tonight again too either instead anymore now already yet myself yourself "
        "himself herself themselves ourselves everything something anything nothing anyway later together "
        "me him us them there here mine yours theirs hers somewhere anywhere everywhere someone anyone everybody anybody "
        "ago soon afterwards forever"
    ),
    beginnings=re.compile(
        r"(?:(?:and|so|but|okay|well|hey|hi|please|um|uh|yes|no) )*"
        r"(?:(?:i|we|you|they|he|she) (?:want|need|like|think|know|guess|mean|was|were|just|really|also|wonder|hope|said|"
        r"would like|have been|don't think|am looking|was wondering|was thinking|can|could|should|will|wanted)"
        r"|i'm (?:looking|trying|going|just|calling|thinking|not sure)|i'd (?:like|love|prefer|rather)"
        r"|(?:can|could|would|will) you(?: please| also| just)?(?: tell| tell me| give| give me| show| show me| set| turn|"
        r" make| find| play| explain| check| send| call| add| remind me)?"
        r"|(?:do|did|are|were|have) (?:you|we|they|i)"
        r"|(?:what|where|who|when|why|how)(?:'s| is| are| was| do| does| did| about| much| many| long| far|"
        r" often| old| kind)?"
        r"|(?:what|where|when|why|how) (?:do|does|did|can|should|could|would) (?:i|you|we|they|it|he|she)"
        r"|is there|are there|there (?:is|are|was|were)|it (?:is|was)|this is|that (?:is|was)"
        r"|well|let me (?:think|see|check|look)"
        r"|remind me to (?:call|phone|ask|tell|buy|get|book|pay|send|take|bring|pick up|write|email)"
        r"|(?:please )?(?:set|tell|tell me|give|give me|show|show me|remind|remind me|play|call|turn|add|find|send|make|put|"
        r"open|close|read|translate|convert|search|explain|book|order|check|write|get|take|bring|say|go|name|spell|start a?|"
        r"set a|set an|set the)"
        r"|my (?:name|number|address|email|order|password|phone number|birthday)"
        r"|the (?:thing|problem|question|reason|point|number|address|answer)(?: is that)?)"
    ),
    digits=_words(
        "zero oh one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen seventeen "
        "eighteen nineteen twenty thirty forty fifty sixty seventy eighty ninety hundred double triple dash dot slash "
        "underscore hyphen nought capital uppercase"
    ),
    single_words=_words("a i"),
    announcements=re.compile(
        r"(?:number|code|pin|password|zip|postcode|phone|account|id|reference|extension|dial|call|address|email)\b.{0,12}(?:is|was|are)?$"
        r"|(?:spelled|spelt|spell|spelling|letters?|digits?|that's|it's|it is|is|press|room|flight|serial|it starts with)"
        r"(?: (?:like|with|as|a|an))?$"
        r"|(?:number|code|pin|password|zip|postcode|phone|account|reference|spelled|spelt|spelling|digits|email)\b"
    ),
    subordinators=_words("if although unless while since"),
    pronouns=_words("you it that this these those he she they him her them me us we"),
    intransitive=_words("come go hold hang wake calm slow carry hurry cheer log sign move shut get"),
    shortest_question=4,
)

_GERMAN = Forms(
    open_words=_words(
        "und oder aber weil dass denn wenn ob als der die das ein eine einen einem einer eines mein meine meinen dein deine "
        "sein seine ihr ihre unser unsere kein keine den dem des sehr ganz zu wie damit obwohl sondern sowie bevor nachdem"
    ),
    prepositions=_words(
        "für von bei nach aus über unter zwischen gegen ohne durch um seit bis wegen während in im am vom zum zur beim ins"
    ),
    auxiliaries=_words(
        "ist sind war waren bin habe hat haben hatte wird werden würde kann möchte will soll muss darf könnte"
    ),
    fillers=_words("äh ähm öh öhm hm mm also"),
    open_pairs=_pairs("ich möchte, ich will, ich brauche, ich glaube, ich denke, und dann, so dass, kannst du, können sie"),
    askers=_words("was wer wo wie wann warum wieso welche welcher welches wohin woher wem wen"),
    inverted=_words("ist sind war hast hat kannst können kann könntest könnten wirst wird soll darf muss gibt haben"),
    subjects=_words("ich du er sie es wir ihr man das der die"),
    lead_ins=_words("und also aber okay ok ja nein hey hallo bitte"),
    orders=_words("mach mache spiel spiele stell stelle zeig zeige sag sage öffne schließe schalte ruf rufe lies erzähl"),
    short_orders=_words("stopp stop halt pause weiter hilfe warte"),
    whole=_pairs(
        "ja, nein, danke, bitte, okay, ok, stopp, stop, halt, hilfe, hallo, tschüss, genau, richtig, guten morgen, "
        "guten tag, gute nacht, guten abend, vielen dank, nein danke, ja bitte, ja gerne, das ist alles, ich weiß nicht"
    ),
    stand_alone=_words(
        "ja nein danke bitte okay ok stopp stop genau richtig gut gerne hallo tschüss klar sicher doch super"
    ),
    closing_words=_words("bitte danke heute morgen gestern jetzt mir dir ihm uns euch auf aus an ab ein vor weiter mit"),
    digits=_words("null eins zwei zwo drei vier fünf sechs sieben acht neun zehn elf zwölf"),
    announcements=re.compile(
        r"(?:nummer|code|pin|passwort|postleitzahl|adresse|name)(?: (?:ist|lautet))?(?: |$)|buchstabier"
    ),
)

_SPANISH = Forms(
    open_words=_words(
        "y o pero porque que si cuando como aunque mientras el la los las un una unos unas mi tu su mis tus sus nuestro "
        "nuestra muy más tan donde quien cuyo ni e u pues"
    ),
    prepositions=_words("a de en con por para sin sobre entre hasta desde hacia según contra durante del al"),
    auxiliaries=_words(
        "es son era está están estoy he ha han había puedo puede quiero voy va vamos soy debo tengo necesito"
    ),
    fillers=_words("eh em este mm mmm pues bueno"),
    open_pairs=_pairs(
        "me gustaría, yo quiero, es que, o sea, y luego, voy a, tengo que, creo que, por ejemplo, puedes decirme"
    ),
    askers=_words("qué quién quiénes cuándo dónde cómo cuál cuáles cuánto cuántos cuánta cuántas por"),
    inverted=_words("puedes podrías tienes hay está estás es eres sabes quieres puede"),
    subjects=_words("yo tú él ella ellos nosotros usted me te se lo la el un una algo alguien"),
    lead_ins=_words("y pero entonces bueno oye hola sí no vale"),
    orders=_words("pon para abre cierra dime muestra llama enciende apaga sube baja lee busca repite cuenta"),
    short_orders=_words("para alto ayuda repite cancela espera sigue"),
    whole=_pairs(
        "sí, si, no, gracias, vale, de acuerdo, claro, hola, adiós, ayuda, para, alto, buenos días, buenas noches, "
        "buenas tardes, muchas gracias, no gracias, sí por favor, por favor, no lo sé, eso es todo, nada más, hasta luego"
    ),
    stand_alone=_words("sí si no gracias vale claro hola adiós perfecto exacto bien ayuda alto bueno"),
    closing_words=_words("favor gracias hoy mañana ayer ahora aquí allí también nada algo mí ti conmigo luego siempre ya"),
    digits=_words("cero uno dos tres cuatro cinco seis siete ocho nueve diez once doce"),
    announcements=re.compile(r"(?:número|código|pin|contraseña|postal|dirección|nombre)(?: (?:es|de))?(?: |$)|deletre"),
)

_FRENCH = Forms(
    open_words=_words(
        "et ou mais parce que qui quand si comme le la les un une des du mon ma mes ton ta tes son sa ses notre votre leur "
        "leurs ce cette ces très plus car donc lorsque puisque dont ni au aux je"
    ),
    prepositions=_words("à de en dans sur sous avec pour sans par chez vers entre contre pendant depuis jusqu'à"),
    auxiliaries=_words("est sont était ai as a avons avez ont peux peut veux veut vais va dois suis étais c'est j'ai"),
    fillers=_words("euh heu hum mm ben bah"),
    open_pairs=_pairs(
        "je voudrais, je veux, j'aimerais, est-ce que, je pense, je crois, et puis, c'est que, il y, y a, tu peux"
    ),
    askers=_words("quoi qui quand où comment pourquoi combien quel quelle quels quelles qu'est"),
    inverted=_words("peux pouvez pourrais est as avez es sais savez"),
    subjects=_words("je tu il elle on nous vous ils elles ce me le la un une"),
    lead_ins=_words("et mais alors bon oui non ok bonjour salut"),
    orders=_words(
        "mets mettez joue ouvre ferme dis dites montre appelle allume éteins monte baisse lis cherche répète raconte"
    ),
    short_orders=_words("stop arrête pause aide continue répète attends annule"),
    whole=_pairs(
        "oui, non, merci, d'accord, ok, bonjour, bonsoir, salut, au revoir, stop, aide, bonne nuit, merci beaucoup, "
        "non merci, oui s'il te plaît, oui s'il vous plaît, je ne sais pas, c'est tout, rien, ça va, ça suffit, bien sûr"
    ),
    stand_alone=_words("oui non merci ok bonjour bonsoir salut stop exactement parfait super bien voilà"),
    closing_words=_words(
        "plaît merci aujourd'hui demain hier maintenant ici là aussi moi toi lui rien pas ça encore toujours"
    ),
    digits=_words("zéro un deux trois quatre cinq six sept huit neuf dix onze douze"),
    single_words=_words("à a y"),
    announcements=re.compile(r"(?:numéro|code|pin|passe|postal|adresse|nom)(?: (?:est|c'est))?(?: |$)|s'épelle|épel"),
)

FORMS = {"en": _ENGLISH, "de": _GERMAN, "es": _SPANISH, "fr": _FRENCH}
