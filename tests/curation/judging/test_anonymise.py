"""What tells a writer goes, what an answer is about stays."""

import hypothesis
import pytest
from hypothesis import strategies as st

from curation.judging.anonymise import anonymise


@pytest.mark.parametrize(
    ("text", "plain"),
    [
        ("I am ChatGPT, trained by OpenAI.", "I am an assistant, trained by its makers."),
        ("As Claude, I cannot taste tea.", "As an assistant, I cannot taste tea."),
        ("I'm an AI assistant named Qwen developed by Alibaba Cloud.", "I'm an assistant developed by its makers."),
        ("Assistant: Yes.<|im_end|>", "Yes."),
        ("### Response:\nYes.</s>", "Yes."),
        ("a \r\n\r\n\r\n\r\nb", "a\n\nb"),
        ("My name is TeaBot-9.", "My name is an assistant."),
        ("Claude Monet was born in 1840.", "Claude Monet was born in 1840."),
        ("A friend as Claude Monet was.", "A friend as Claude Monet was."),
        ("Llamas are not trained by people.", "Llamas are not trained by people."),
        ("GPT-4 was made by a firm.", "GPT-4 was made by a firm."),
        ("    indented = code", "indented = code"),
    ],
)
def test_marks_of_a_writer_are_replaced(text: str, plain: str) -> None:
    assert anonymise(text, ["TeaBot-9"]) == plain


@hypothesis.given(st.text(alphabet="ab \n.,:"))
def test_text_without_marks_keeps_its_words(text: str) -> None:
    assert anonymise(text).split() == text.split()
