"""From the sections of `generate` in a recipe to the methods that they ask for, in the order of the recipe's fields.

build_methods(GenerateConfig(raft=RaftConfig()))        [Raft]
"""

from collections.abc import Callable
from typing import Any

from curation.synthesis.config import GenerateConfig
from curation.synthesis.methods.method import Method

METHODS: dict[str, Callable[[Any], Method]] = {}
"""Section of `generate` -> what builds the method from it."""


def build_methods(config: GenerateConfig) -> list[Method]:
    """Return the methods that the recipe asks for."""
    sections = {name: getattr(config, name) for name in METHODS}
    return [METHODS[name](section) for name, section in sections.items() if section is not None]
