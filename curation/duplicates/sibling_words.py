"""The words that change what a short text asks for: numbers, negations, opposites. English, with negations of a few more.

NUMBER_WORDS["seven"] == "7"        "and" is in no list: it changes nothing
"""

_CARDINALS = "zero _ two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen seventeen"
_CARDINALS += " eighteen nineteen"
_ORDINALS = "first second third fourth fifth sixth seventh eighth ninth tenth"
_TENS = "twenty thirty forty fifty sixty seventy eighty ninety"
_LARGE = {"hundred": "100", "thousand": "1000", "million": "1000000", "billion": "1000000000", "dozen": "12", "half": "1/2"}

NUMBER_WORDS = {
    **{word: str(number) for number, word in enumerate(_CARDINALS.split()) if word != "_"},
    **{word: f"{number}." for number, word in enumerate(_ORDINALS.split(), start=1)},
    **{word: str(number * 10) for number, word in enumerate(_TENS.split(), start=2)},
    **_LARGE,
}
"""Number words and the digits that they stand for ("one" is left out: it is mostly a pronoun); ordinals have a dot."""

_NOT = "not cannot nt wont cant dont doesnt didnt isnt arent wasnt werent couldnt shouldnt wouldnt hasnt havent hadnt mustnt"
_OTHER_NEGATIONS = (
    "no never none nor neither without except unlike unless "
    "nicht kein keine keinen keiner nie ohne au\u00dfer ausser "  # German
    "ne pas jamais sans sauf aucun aucune "  # French
    "nunca sin ni ning\u00fan jam\u00e1s n\u00e3o sem "  # Spanish, Portuguese
    "non mai senza"  # Italian
)
NEGATIONS = {**{word: word for word in _OTHER_NEGATIONS.split()}, **dict.fromkeys(_NOT.split(), "not")}
"""Negations, and what they count as: "don't" and "do not" are one."""

CJK_NEGATIONS = frozenset("\u4e0d\u6ca1\u6c92\u65e0\u7121\u672a\u975e\u522b")

_OPPOSITES = (
    "first last|before after|min max|minimum maximum|smallest largest|lowest highest|lower upper|least most|less more|"
    "fewer more|shorter longer|shortest longest|increase decrease|rise fall|true false|left right|north south|east west|"
    "northern southern|eastern western|buy sell|open close|start stop|begin end|start end|ascending descending|"
    "with without|above below|over under|encode decode|encrypt decrypt|compress decompress|import export|enable disable|"
    "add remove|add subtract|append prepend|insert delete|create delete|multiply divide|sum difference|always never|"
    "male female|men women|man woman|boy girl|mother father|husband wife|son daughter|brother sister|king queen|"
    "positive negative|input output|horizontal vertical|rows columns|row column|up down|push pull|read write|"
    "upload download|lock unlock|union intersection|odd even|hot cold|win lose|advantages disadvantages|pros cons|"
    "best worst|better worse|early late|earlier later|old new|older newer|oldest newest|winter summer|day night|"
    "morning evening|today tomorrow|today yesterday|tomorrow yesterday|forward backward|inside outside|internal external|"
    "public private|legal illegal|possible impossible|cause effect|causes symptoms|causes treatments|symptoms treatments|"
    "agree disagree|formal informal|singular plural|past future|past present|present future|synonym antonym"
)
OPPOSITES: dict[str, frozenset[str]] = {}
"""Words of which a text asks for one thing with the one and another thing with the other."""
for _pair in _OPPOSITES.split("|"):
    _one, _two = _pair.split()
    OPPOSITES[_one] = OPPOSITES.get(_one, frozenset()) | {_two}
    OPPOSITES[_two] = OPPOSITES.get(_two, frozenset()) | {_one}
