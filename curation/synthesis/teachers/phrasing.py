"""Turns a sentence of documentation into what somebody who needs it would type.

    phrase("Modify strings to their uppercase equivalent", salt="x")
        ["How do I change strings to their uppercase equivalent?", "Show me how to modify ...", ...]

A sentence that begins with a verb becomes something to do, a noun phrase something to look for, and anything else
something to read about. Frames and synonyms are drawn by stable hash, so the same sentence gives the same questions.
"""

import re

from curation.ids import stable_fraction

_SYNONYMS = {
    "add": ("append", "put in"),
    "aggregate": ("summarise",),
    "apply": ("use",),
    "calculate": ("compute", "work out"),
    "cast": ("convert", "change"),
    "check": ("find out", "test"),
    "collect": ("gather",),
    "combine": ("merge", "put together"),
    "compute": ("calculate", "work out"),
    "concatenate": ("join", "put together"),
    "construct": ("build", "make"),
    "convert": ("change", "transform"),
    "count": ("tally",),
    "create": ("make", "build"),
    "delete": ("remove", "get rid of"),
    "determine": ("find out", "work out"),
    "display": ("show",),
    "drop": ("remove", "leave out"),
    "evaluate": ("work out", "compute"),
    "execute": ("run",),
    "extract": ("pull out", "take out", "get"),
    "fill": ("fill in",),
    "filter": ("narrow down",),
    "find": ("locate", "look up"),
    "generate": ("produce", "make"),
    "get": ("retrieve", "obtain", "find"),
    "indicate": ("tell", "find out"),
    "insert": ("put", "add"),
    "join": ("combine",),
    "load": ("read",),
    "make": ("create",),
    "modify": ("change",),
    "parse": ("read",),
    "perform": ("do", "carry out"),
    "read": ("load",),
    "reduce": ("bring down",),
    "remove": ("drop", "get rid of"),
    "rename": ("change the name of",),
    "replace": ("swap", "substitute"),
    "retrieve": ("get", "fetch"),
    "return": ("get", "obtain"),
    "reverse": ("turn around",),
    "rotate": ("turn",),
    "run": ("execute",),
    "save": ("store",),
    "select": ("pick", "choose"),
    "show": ("display",),
    "shuffle": ("mix up",),
    "sort": ("order", "arrange"),
    "split": ("break up", "cut"),
    "store": ("save",),
    "take": ("pick", "get"),
    "test": ("check",),
    "truncate": ("cut off",),
    "update": ("change",),
    "write": ("save", "store"),
}
_OTHER_VERBS = """
accept access accumulate adjust align allow alter annotate append approximate arrange assert assign attach authenticate
begin bin bind block build cache call cancel change choose clean clear clip clone close cluster collapse compare compile
complete compress concat configure connect consume control copy cut decode decompose decompress decrypt define
deserialize detach detect disable divide do draw duplicate emit enable encode encrypt ensure enter escape estimate
examine exclude exit expand explain explode export extend fetch finish flag flatten floor fold format forward gather
give group grow guess handle hash hide hold identify ignore import include increment indicate infer initialize inspect
install interleave interpolate interpret invert issue iterate keep launch limit link list listen locate look lower map
mark mask match materialize measure merge migrate mock monitor move multiply name negate normalize notify obtain offer
offset open operate order overwrite pad partition pass pause peek pivot plot pop prepare prevent print process produce
prompt provide publish pull push put query quote raise rank receive rechunk record refresh register reinterpret release
render reorder repeat report represent request require reset reshape resize resolve restart restore resume roll round
sample scale scan schedule search send serialize set shift shrink shut sign sink skip slice start stop stream strip
submit subtract sum summarise summarize support swap switch tell terminate throw toggle trace track train transfer
transform translate transpose trigger trim try turn undo unify unnest unpack unpivot unregister unset unstack upload
upsample use validate verify view visit wait walk warn watch wrap yield zip"""
VERBS = frozenset(_OTHER_VERBS.split()) | set(_SYNONYMS)

_DO_FRAMES = (
    "How do I {x}?",
    "How can I {x}?",
    "I want to {x}.",
    "What should I call to {x}?",
    "Show me how to {x}.",
    "I need to {x}. What do I use?",
    "Is there a way to {x}?",
    "What lets me {x}?",
    "Could you help me {x}?",
    "My goal is to {x}.",
    "What is the best way to {x}?",
    "I am trying to {x}.",
)
_FIND_FRAMES = (
    "Where do I find {x}?",
    "I am looking for {x}.",
    "I need {x}. Where is it?",
    "What do I use for {x}?",
    "Which part deals with {x}?",
    "Tell me about {x}.",
    "Is there something like {x}?",
    "What is there for {x}?",
)
_READ_FRAMES = (
    "Where can I read more about this: {x}?",
    "I read this: {x}. Where does it belong?",
    "What is this about: {x}?",
    "Someone told me this: {x}. Where do I look?",
    "I have a question about this: {x}.",
    "Which part explains this: {x}?",
)
_CONTEXTS = ("With {owner}: ", "I have {owner}. ", "I am working with {owner}. ", "Given {owner}: ", "This is about {owner}. ")
_NAMES = {
    "expr": "expression",
    "dtype": "data type",
    "ctx": "context",
    "func": "function",
    "config": "settings",
    "df": "data frame",
}
_DETERMINERS = "a an the this that these those its their your our my all any some each every no more one both"
MAX_PHRASE_CHARS = 220
_FINITE = re.compile(r"\b(is|are|was|were|will|can|cannot|may|must|should|has|have|does|do|did|would|could)\b")


def phrase(text: str, *, salt: str) -> list[str]:
    """Return the ways in which a sentence can be asked, each in another frame, in an order drawn by hash of text and salt."""
    forms, frames = _forms(text)
    ordered = sorted(frames, key=lambda frame: stable_fraction(f"{text}\n{frame}", salt))
    return [frame.format(x=forms[position % len(forms)]) for position, frame in enumerate(ordered)]


def add_context(question: str, owner: str, *, salt: str) -> str:
    """Say first what the person has at hand (`describe_owner`), unless the question says so already."""
    name = owner.partition(" ")[2]
    if not owner or _squeeze(name) in _squeeze(question):
        return question
    number = int(stable_fraction(question, salt) * len(_CONTEXTS))
    return _CONTEXTS[number].format(owner=owner) + question


def describe_owner(title: str) -> str:
    """Return in words what an object belongs to: "a lazy frame" for `polars.LazyFrame.head`, "" for what stands alone."""
    classes = [part for part in title.split(".")[:-1] if re.fullmatch(r"[A-Z]\w*", part)]
    if not classes:
        return ""
    words = re.findall(r"[A-Z]+(?![a-z])|[A-Z][a-z0-9]*|\d+", classes[-1])
    name = " ".join(_NAMES.get(word.lower(), word if word.isupper() and len(word) > 1 else word.lower()) for word in words)
    article = "the" if name.endswith("s") and name != "series" else "an" if name[:1].lower() in "aeiou" else "a"
    return f"{article} {name}"


def _squeeze(text: str) -> str:
    return re.sub(r"[^a-z0-9]", "", text.lower())


def _forms(text: str) -> tuple[list[str], tuple[str, ...]]:
    """Return the wordings of a sentence and the frames that they fit into."""
    text = shorten(text)
    words = text.split(" ")
    verb = as_verb(words[0])
    if verb is not None:
        wordings = [verb, *_SYNONYMS.get(verb, ())]
        return [" ".join([wording, *words[1:]]) for wording in wordings], _DO_FRAMES
    if len(words) > 1 and words[0].endswith("ly") and as_verb(words[1]) is not None:
        return [" ".join([words[0].lower(), as_verb(words[1]) or "", *words[2:]])], _DO_FRAMES
    if words[0].lower() in ("whether", "if"):
        return [f"find out {_lower_first(text)}", f"check {_lower_first(text)}"], _DO_FRAMES
    if _FINITE.search(text):
        return [_lower_first(text)], _READ_FRAMES
    return [_with_article(_lower_first(text))], _FIND_FRAMES


def _with_article(text: str) -> str:
    """Say "the base class for ..." where the documentation drops the article."""
    first = text.partition(" ")[0].lower()
    return text if first in _DETERMINERS.split() or first.endswith(("s", "ing")) else f"the {text}"


def as_verb(word: str) -> str | None:
    """Return the base form if a word may open an instruction ("Computes" -> "compute"), else None."""
    word = word.lower().rstrip(",")
    for candidate in (word, word.removesuffix("s"), word.removesuffix("es"), word.removesuffix("ies") + "y"):
        if candidate in VERBS:
            return candidate
    return None


def shorten(text: str) -> str:
    """Return a sentence without what goes on too long, cut where it pauses."""
    if len(text) <= MAX_PHRASE_CHARS:
        return text
    cut = text[:MAX_PHRASE_CHARS]
    pauses = [match.start() for match in re.finditer(r"[,;:(] ?|\s-\s", cut) if match.start() >= MAX_PHRASE_CHARS // 3]
    return cut[: pauses[-1]].rstrip(" ,;:(-") if pauses else cut.rpartition(" ")[0]


def _lower_first(text: str) -> str:
    first = text.partition(" ")[0]
    is_plain = first[:1].isupper() and (first[1:].islower() or len(first) == 1) and first != "I"
    return text[:1].lower() + text[1:] if is_plain else text
