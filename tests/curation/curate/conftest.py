from collections.abc import Callable

import pytest

from curation.records import Example, Message, Provenance

Make = Callable[..., Example]


@pytest.fixture
def make_row() -> Make:
    def make(key: str, prompt: str, answer: str, group: str = "", license: str = "MIT", origin: str = "human") -> Example:
        provenance = Provenance(origin=origin, method="demonstration", license=license)  # type: ignore[arg-type]
        messages = (Message(role="user", content=prompt), Message(role="assistant", content=answer))
        return Example(key=key, task="qa", messages=messages, group=group or key, provenance=provenance)

    return make
