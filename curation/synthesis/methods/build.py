"""From the sections of `generate` in a recipe to the methods that they ask for, in the order of the recipe's fields.

build_methods(GenerateConfig(raft=RaftConfig()))        [Raft]
"""

from collections.abc import Callable
from typing import Any

from curation.synthesis.asking import Session
from curation.synthesis.config import GenerateConfig
from curation.synthesis.methods.conversation import Conversation
from curation.synthesis.methods.conversion import Conversion
from curation.synthesis.methods.document_qa import DocumentQa
from curation.synthesis.methods.evol_instruct import EvolInstruct
from curation.synthesis.methods.grounded_qa import GroundedQa
from curation.synthesis.methods.magpie import Magpie
from curation.synthesis.methods.method import Method
from curation.synthesis.methods.raft import Raft
from curation.synthesis.methods.reasoning import Reasoning
from curation.synthesis.methods.routing import Routing
from curation.synthesis.methods.self_instruct import SelfInstruct
from curation.synthesis.methods.tool_calls import ToolCalls
from curation.synthesis.methods.translation import Translation
from curation.synthesis.methods.variation import Variation
from curation.synthesis.methods.verifiable import Verifiable
from curation.synthesis.preferences.best_of_n import BestOfN
from curation.synthesis.teachers.config import TeacherConfig

METHODS: dict[str, Callable[[Any], Method]] = {
    "routing": Routing,
    "grounded_qa": GroundedQa,
    "document_qa": DocumentQa,
    "conversation": Conversation,
    "conversion": Conversion,
    "variation": Variation,
    "self_instruct": SelfInstruct,
    "evol_instruct": EvolInstruct,
    "reasoning": Reasoning,
    "verifiable": Verifiable,
    "tool_calls": ToolCalls,
    "translation": Translation,
    "magpie": Magpie,
}
"""Section of `generate` -> what builds the method from it; `raft` and `best_of_n`, which need more, are built apart."""


OpenSession = Callable[[TeacherConfig], Session]
"""Opens a session with a model that is no teacher of the recipe: a judge, a student."""


def build_methods(
    config: GenerateConfig, open_session: OpenSession | None = None, side_of: Callable[[str], str] | None = None
) -> list[Method]:
    """Return the methods that the recipe asks for.

    Args:
        config: the section `generate`.
        open_session: needed for `best_of_n`, whose judge and student are asked in sessions of their own.
        side_of: the side of the split on which a group stands: RAFT shows only documents of the same side together, since the
            contamination check would drop what mixes them.
    """
    sections = {name: getattr(config, name) for name in METHODS}
    methods = [METHODS[name](section) for name, section in sections.items() if section is not None]
    if config.raft is not None:
        methods.append(Raft(config.raft, side_of=side_of))
    if config.best_of_n is not None:
        assert open_session is not None, "best_of_n needs a judge"
        student = config.best_of_n.student
        judge = open_session(config.best_of_n.judge.teacher)
        methods.append(BestOfN(config.best_of_n, judge=judge, student=open_session(student) if student is not None else None))
    return methods
