"""From the recipe's `teacher` section to the chat model that answers.

teacher = build_teacher(TeacherConfig())          # ExtractiveTeacher
"""

import contextlib
from collections.abc import Iterator
from typing import Any

from curation.chat_model import ChatModel
from curation.synthesis.teachers.config import TeacherConfig
from curation.synthesis.teachers.extractive import ExtractiveTeacher
from curation.synthesis.teachers.openai_model import OpenAIChatModel


def build_teacher(config: TeacherConfig) -> ChatModel:
    """Return the teacher; nothing is contacted yet."""
    return ExtractiveTeacher() if config.kind == "extractive" else OpenAIChatModel(config)


def sampling_parameters(config: TeacherConfig, *, seed: int) -> dict[str, Any]:
    """Return the parameters that the reply of this teacher depends on."""
    if config.kind == "extractive":
        return {"seed": seed}
    temperature = {} if config.temperature is None else {"temperature": config.temperature}
    return {**config.parameters, "max_tokens": config.max_tokens, "seed": seed, **temperature}


@contextlib.contextmanager
def opened_teacher(config: TeacherConfig) -> Iterator[ChatModel]:
    """Build the teacher for the time of a block, and close its connections afterwards."""
    teacher = build_teacher(config)
    try:
        yield teacher
    finally:
        if isinstance(teacher, OpenAIChatModel):
            teacher.close()
