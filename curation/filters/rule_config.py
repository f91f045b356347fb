"""What the rules of the filters look for and how strict they are.

curate: {rules: {languages: [en], off: [boilerplate], max_answer_chars: 8000}}
"""

from typing import Literal

from curation.config import check, config

RuleName = Literal[
    "malformed_conversation",
    "length",
    "placeholder_answer",
    "identical_answers",
    "answer_repeats_prompt",
    "only_addresses",
    "only_digits",
    "encoding_damage",
    "role_markers",
    "template_placeholder",
    "calculator_marks",
    "refusal",
    "boilerplate",
    "truncated_answer",
    "broken_tool_call",
    "broken_json",
    "broken_python",
    "repetition",
    "language",
    "toxicity",
]


@config
class DocumentRuleConfig:
    """Rules for documents, after Gopher (arXiv 2112.11446), C4 (1910.10683) and FineWeb (2406.17557).

    Each is switched off by its loosest value: a share of 1, a minimum of 0, a symbol ratio of 0.
    """

    is_on: bool = True
    """Check documents at all."""

    min_chars: int = 20
    """Shorter documents are rejected."""

    max_chars: int = 5_000_000
    """Longer documents are rejected: they are dumps rather than texts."""

    min_prose_words: int = 50
    """Only documents with at least so many words are judged by the rules below; short ones tell too little."""

    max_symbol_ratio: float = 0.1
    """Number signs, ellipses and the like for each word, outside code (Gopher: 0.1)."""

    max_bullet_share: float = 0.95
    """Share of lines that begin with a bullet (Gopher: 0.9; lists are common in documentation)."""

    max_ellipsis_share: float = 0.3
    """Share of lines that end with an ellipsis (Gopher)."""

    min_alphabetic_share: float = 0.5
    """Share of words that hold a letter (Gopher: 0.8; tables and changelogs stay below)."""

    max_duplicate_line_share: float = 0.5
    """Share of characters in lines that stood before (Gopher: 0.2 of characters, 0.3 of lines)."""

    max_duplicate_ngram_share: float = 0.5
    """Share of word 5-grams that stood before (Gopher: 0.15 of characters)."""

    max_top_word_share: float = 0.4
    """Share of one single word of three letters or more."""

    max_boilerplate_share: float = 0.3
    """Share of lines that are cookie banners, navigation, legal notices or filler."""

    def __post_init__(self) -> None:
        check(self.min_chars >= 1, "min_chars", "must be at least 1", self.min_chars)
        check(self.max_chars >= self.min_chars, "max_chars", "is below min_chars", self.max_chars)
        check(self.min_prose_words >= 1, "min_prose_words", "must be at least 1", self.min_prose_words)
        check(self.max_symbol_ratio >= 0, "max_symbol_ratio", "must not be negative", self.max_symbol_ratio)
        for name in (
            "max_bullet_share",
            "max_ellipsis_share",
            "min_alphabetic_share",
            "max_duplicate_line_share",
            "max_duplicate_ngram_share",
            "max_top_word_share",
            "max_boilerplate_share",
        ):
            value = getattr(self, name)
            check(0 <= value <= 1, name, "must lie in [0, 1]", value)


@config
class RuleConfig:
    """Rules for single rows; the first one that a row breaks is why it is rejected."""

    off: tuple[RuleName, ...] = ()
    """Rules that are not applied (`curation.filters.rule_table.RULES` describes each)."""

    min_prompt_chars: int = 3
    """Shorter prompts are rejected (system messages do not count)."""

    max_prompt_chars: int = 16_000
    """Longer prompts are rejected (all messages before the answer count)."""

    min_answer_chars: int = 1
    """Shorter answers are rejected; an answer that calls a tool may be empty."""

    max_answer_chars: int = 16_000
    """Longer answers are rejected."""

    min_answer_words: int = 0
    """Answers with fewer words are rejected."""

    max_row_tokens: int = 0
    """Rows estimated to hold more tokens are rejected (see `estimate_tokens`); 0 for no limit."""

    max_answer_ratio: float = 0.0
    """Answers with more characters for each character of the prompt are rejected; 0 for no limit."""

    placeholder_answers: tuple[str, ...] = ()
    """More answers that stand for none, compared without case (`N/A`, `...`, `<noinput>` and others are known)."""

    languages: tuple[str, ...] = ()
    """Languages that rows may be in, as ISO 639-1 codes (`en`, `de`); empty for any."""

    min_language_letters: int = 40
    """Texts with fewer letters outside code and tables are not judged by language: short ones are guesswork."""

    min_language_confidence: float = 0.8
    """Only a language named with at least this confidence, 0 to 1, is held against a row."""

    max_char_run: int = 60
    """Longest run of one letter, digit or mark of punctuation (lines of `-=_*#.` and the like may be longer)."""

    max_loop_repeats: int = 6
    """How often the same words may stand in a row at the end of an answer."""

    max_duplicate_line_share: float = 0.6
    """Share of an answer's lines that stood before, from 8 lines on; code is exempt."""

    max_duplicate_ngram_share: float = 0.6
    """Share of an answer's word 5-grams that stood before, from 60 words on; code is exempt."""

    max_bad_char_share: float = 0.0
    """Share of characters that may be damaged: U+FFFD, control, private-use and bidi override characters, mojibake."""

    calculator_marks: Literal["strip", "reject", "keep"] = "strip"
    """What happens to marks such as `<<16-3=13>>` (GSM8K): taken out of the text, held against the row, or left."""

    max_toxicity: float = 0.0
    """Rows that score higher are rejected, 0 to 1; 0 does not score at all."""

    toxicity_scorer: str = "profanity-check"
    """`profanity-check` (extra `toxicity`, English), or `MODULE:FUNCTION` that maps a list of texts to a list of scores."""

    documents: DocumentRuleConfig = DocumentRuleConfig()
    """Rules for documents."""

    def __post_init__(self) -> None:
        self._check_lengths()
        for language in self.languages:
            is_code = 2 <= len(language) <= 3 and language.isascii() and language.isalpha() and language.islower()
            check(is_code, "languages", "must be ISO 639 codes in lower case such as 'en'", language)
        check(self.min_language_letters >= 1, "min_language_letters", "must be at least 1", self.min_language_letters)
        for name in ("min_language_confidence", "max_duplicate_line_share", "max_duplicate_ngram_share"):
            value = getattr(self, name)
            check(0 < value <= 1, name, "must lie in (0, 1]", value)
        for name in ("max_bad_char_share", "max_toxicity"):
            value = getattr(self, name)
            check(0 <= value <= 1, name, "must lie in [0, 1]", value)
        check(self.max_char_run >= 10, "max_char_run", "must be at least 10", self.max_char_run)
        check(self.max_loop_repeats >= 2, "max_loop_repeats", "must be at least 2", self.max_loop_repeats)
        known = self.toxicity_scorer == "profanity-check" or self.toxicity_scorer.count(":") == 1
        check(known, "toxicity_scorer", "must be 'profanity-check' or 'MODULE:FUNCTION'", self.toxicity_scorer)

    def _check_lengths(self) -> None:
        check(self.min_prompt_chars >= 1, "min_prompt_chars", "must be at least 1", self.min_prompt_chars)
        fits = self.max_prompt_chars >= self.min_prompt_chars
        check(fits, "max_prompt_chars", "is below min_prompt_chars", self.max_prompt_chars)
        check(self.min_answer_chars >= 1, "min_answer_chars", "must be at least 1", self.min_answer_chars)
        fits = self.max_answer_chars >= self.min_answer_chars
        check(fits, "max_answer_chars", "is below min_answer_chars", self.max_answer_chars)
        check(self.min_answer_words >= 0, "min_answer_words", "must not be negative", self.min_answer_words)
        check(self.max_row_tokens >= 0, "max_row_tokens", "must not be negative", self.max_row_tokens)
        check(self.max_answer_ratio >= 0, "max_answer_ratio", "must not be negative", self.max_answer_ratio)
