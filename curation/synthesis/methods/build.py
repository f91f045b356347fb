"""From the sections of `generate` in a recipe to the methods that they ask for, in the order of the recipe's fields.

build_methods(GenerateConfig(raft=RaftConfig()))        [Raft]
"""

from collections.abc import Callable
from typing import Any

from curation.synthesis.config import GenerateConfig
from curation.synthesis.methods.conversation import Conversation
from curation.synthesis.methods.conversion import Conversion
from curation.synthesis.methods.document_qa import DocumentQa
from curation.synthesis.methods.evol_instruct import EvolInstruct
from curation.synthesis.methods.grounded_qa import GroundedQa
from curation.synthesis.methods.method import Method
from curation.synthesis.methods.raft import Raft
from curation.synthesis.methods.reasoning import Reasoning
from curation.synthesis.methods.routing import Routing
from curation.synthesis.methods.self_instruct import SelfInstruct
from curation.synthesis.methods.variation import Variation

METHODS: dict[str, Callable[[Any], Method]] = {
    "routing": Routing,
    "grounded_qa": GroundedQa,
    "document_qa": DocumentQa,
    "raft": Raft,
    "conversation": Conversation,
    "conversion": Conversion,
    "variation": Variation,
    "self_instruct": SelfInstruct,
    "evol_instruct": EvolInstruct,
    "reasoning": Reasoning,
}
"""Section of `generate` -> what builds the method from it."""


def build_methods(config: GenerateConfig) -> list[Method]:
    """Return the methods that the recipe asks for."""
    sections = {name: getattr(config, name) for name in METHODS}
    return [METHODS[name](section) for name, section in sections.items() if section is not None]
