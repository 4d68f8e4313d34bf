"""Abbreviations and signs in words: "Dr.", "e.g.", "&"; Roman numerals that are certainly numbers."""

import re

from octavia.engines.replacements import Replacer
from octavia.engines.spoken.words import Form, cardinal, ordinal

_TABLES = {
    "en": {
        r"Mr\.?": "Mister",
        r"Mrs\.?": "Missus",
        r"Ms\.": "Miz",
        r"Dr\.?(?= ?[A-Z])": "Doctor",
        r"Prof\.": "Professor",
        r"(?<=[a-z] )St\.(?=[,;]|$| (?![A-Z]))": "Street",
        r"St\.?(?= [A-Z])": "Saint",
        r"Mt\.(?= [A-Z])": "Mount",
        r"Ave\.": "Avenue",
        r"Blvd\.": "Boulevard",
        r"Rd\.": "Road",
        r"Gov\.(?= [A-Z])": "Governor",
        r"Gen\.(?= [A-Z])": "General",
        r"Col\.(?= [A-Z])": "Colonel",
        r"Capt\.(?= [A-Z])": "Captain",
        r"Lt\.(?= [A-Z])": "Lieutenant",
        r"Sgt\.(?= [A-Z])": "Sergeant",
        r"Sen\.(?= [A-Z])": "Senator",
        r"Rep\.(?= [A-Z])": "Representative",
        r"Rev\.(?= [A-Z])": "Reverend",
        r"Jr\.?": "Junior",
        r"Sr\.?": "Senior",
        r"Inc\.": "Incorporated",
        r"Ltd\.?": "Limited",
        r"Corp\.": "Corporation",
        r"Co\.(?=,|$| [a-z])": "Company",
        r"Dept\.": "Department",
        r"Nos?\.(?= ?\d)": "number",
        r"#(?=\d)": "number ",
        r"(?:Fig|fig)\.(?= ?\d)": "figure",
        r"(?:Vol|vol)\.(?= ?\d)": "volume",
        r"(?:Ch|ch)\.(?= ?\d)": "chapter",
        r"pp\.(?= ?\d)": "pages",
        r"p\.(?= ?\d)": "page",
        r"vs\.?": "versus",
        r"etc\.(?=[,;:)]| [a-z])": "et cetera",
        r"etc\.": "et cetera.",
        r"e\. ?g\.,?": "for example",
        r"i\. ?e\.,?": "that is",
        r"a\.k\.a\.": "also known as",
        r"approx\.": "approximately",
        r"est\.(?= \d)": "established",
        r"min\.(?= [a-z]| \d)": "minimum",
        r"max\.(?= [a-z]| \d)": "maximum",
        r"w/o(?= )": "without",
        r"w/(?= )": "with",
        r"24/7": "twenty-four seven",
    },
    "es": {
        r"Sr\.": "señor",
        r"Sra\.": "señora",
        r"Srta\.": "señorita",
        r"Sres\.": "señores",
        r"Dr\.": "doctor",
        r"Dra\.": "doctora",
        r"Prof\.": "profesor",
        r"Profa\.": "profesora",
        r"D\.(?= [A-ZÁÉÍÓÚÑ][a-záéíóúñ])": "don",
        r"(?:Dña|D\.ª)\.?": "doña",
        r"(?:Uds|Vds)\.": "ustedes",
        r"(?:Ud|Vd)\.": "usted",
        r"EE\. ?UU\.": "Estados Unidos",
        r"JJ\. ?OO\.": "Juegos Olímpicos",
        r"p\. ?ej\.,?": "por ejemplo",
        r"etc\.(?=[,;:)]| [a-z])": "etcétera",
        r"etc\.": "etcétera.",
        r"(?:[nN]\.?[º°]|n\.o|[nN]úm\.)(?= ?\d)": "número",
        r"#(?=\d)": "número ",
        r"(?:págs|pp)\.(?= ?\d)": "páginas",
        r"(?:pág|p)\.(?= ?\d)": "página",
        r"(?:cap|Cap)\.(?= ?\d)": "capítulo",
        r"(?:vol|Vol)\.(?= ?\d)": "volumen",
        r"(?:art|Art)\.(?= ?\d)": "artículo",
        r"(?:fig|Fig)\.(?= ?\d)": "figura",
        r"(?:Avda|Av)\.": "avenida",
        r"C/(?= ?[A-ZÁÉÍÓÚÑ])": "calle ",
        r"(?:Pza|Plza)\.": "plaza",
        r"(?:tel|tfno|teléf|Tel|Tfno)\.": "teléfono",
        r"aprox\.": "aproximadamente",
        r"máx\.": "máximo",
        r"mín\.": "mínimo",
        r"a\. ?C\.": "antes de Cristo",
        r"d\. ?C\.": "después de Cristo",
        r"ss?\.(?= [XVI]+\b)": "siglo",
        r"Cía\.": "compañía",
        r"Gral\.": "general",
        r"vs\.?": "versus",
        r"24/7": "veinticuatro siete",
    },
}


def _replacer(table: dict[str, str]) -> Replacer:
    # A pattern that ends with a lookahead says itself what follows.
    ends = ("" if short.endswith(")") and "(?=" in short else r"(?!\w)" for short in table)
    said = ((short + end, full) for (short, full), end in zip(table.items(), ends, strict=True))
    return Replacer(said, before=r"(?<![\w.])")


_REPLACERS = {language: _replacer(table) for language, table in _TABLES.items()}

_SIGNS = {
    "en": {"&": "and", "+": "plus", "=": "equals", "±": "plus or minus", "×": "times", "÷": "divided by"},
    "es": {"&": "y", "+": "más", "=": "igual a", "±": "más menos", "×": "por", "÷": "entre"},
}
_BETWEEN = re.compile(r"(?<=[\w)%])\s*[&=×÷]\s*(?=[\w(])|(?<=[\d)])\s*\+\s*(?=[\d(])|(?:(?<!\s)\s++)?±\s*(?=\d)")

_ROMAN = re.compile(r"(?=[IVX])X{0,3}(?:IX|IV|V?I{0,3})")
# "When Charles I met": in English, a lone I before a small letter is a pronoun.
_NUMERAL = {
    "en": r"(?P<numeral>(?!I [a-z])[IVX]{1,6})(?![\w'’])",
    "es": r"(?P<numeral>[IVX]{1,6})(?![\w'’])",
}
_THINGS = {
    "en": "War|Part|Chapter|Volume|Act|Book|Phase|Type|Section|Title|Episode|Class|Super Bowl|Article|Stage|Level",
    "es": "[Ss]iglos?|[Cc]apítulo|[Tt]omo|[Vv]olumen|[Pp]arte|[Aa]cto|Guerra Mundial|[Tt]ítulo|[Ff]ase|[Tt]ipo",
}
_NAMES = {
    "en": "Henry|Louis|Charles|George|Edward|James|William|Elizabeth|Mary|Richard|Philip|Frederick|Napoleon|Nicholas|"
    "Alexander|Catherine|Pius|Paul|Benedict|Leo|Gregory|Clement|Innocent|Francis|Ferdinand|Peter|Leopold|Ramesses",
    "es": "Felipe|Carlos|Alfonso|Fernando|Isabel|Juan|Enrique|Luis|Jorge|Eduardo|Jacobo|Pío|Pablo|Benedicto|León|"
    "Gregorio|Inocencio|Francisco|Pedro|Napoleón|Nicolás|Alejandro|Catalina|Guillermo|Sancho|Jaime|Ramiro|Leopoldo",
}
_COUNTED, _RULERS = (
    {language: re.compile(rf"\b(?P<before>{words}) {_NUMERAL[language]}") for language, words in table.items()}
    for table in (_THINGS, _NAMES)
)
_WOMEN = ("Isabel", "Catalina")


def spoken(text: str, language: str) -> str:
    """Put abbreviations, signs between words, and Roman numerals into words."""
    signs = _SIGNS[language]
    text = _BETWEEN.sub(lambda match: f" {signs[match[0].strip()]} ", _REPLACERS[language](text))
    text = _COUNTED[language].sub(lambda match: _count(match, language), text)
    return _RULERS[language].sub(lambda match: _rank(match, language), text)


def _count(match: re.Match[str], language: str) -> str:
    number = _worth(match["numeral"])
    return match[0] if number is None else f"{match['before']} {cardinal(number, language)}"


def _rank(match: re.Match[str], language: str) -> str:
    number = _worth(match["numeral"])
    if number is None:
        return match[0]
    if language == "en":
        return f"{match['before']} the {ordinal(number, language)}"
    # Spanish uses cardinals for kings beyond the tenth.
    form = Form.FEMININE if match["before"] in _WOMEN else Form.COUNTING
    return f"{match['before']} {ordinal(number, language, form) if number <= 10 else cardinal(number, language)}"


def _worth(numeral: str) -> int | None:
    if not numeral or not _ROMAN.fullmatch(numeral):
        return None
    worth = [{"I": 1, "V": 5, "X": 10}[sign] for sign in numeral]
    return sum(-one if one < after else one for one, after in zip(worth, [*worth[1:], 0], strict=True))
