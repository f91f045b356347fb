"""What every prompt to a teacher is made from: a template with a version, and the schema of its reply.

    TITLE = Template(template_id="title-1", system="You name things.", text="Name this: {text}",
                     schema=object_schema({"title": STRING}))
    prompt = render(TITLE, text="...")          prompt.messages: (system, user)

The module of each method's prompts in this package holds its templates and one function a template that renders it.
"""

import functools
from dataclasses import dataclass
from typing import Any

from curation.ids import content_hash
from curation.records import Message

STRING = {"type": "string"}


def object_schema(properties: dict[str, Any]) -> dict[str, Any]:
    """Return the JSON Schema of an object that has exactly these properties."""
    return {"type": "object", "properties": properties, "required": sorted(properties), "additionalProperties": False}


@dataclass(frozen=True, kw_only=True)
class Template:
    """A prompt with its reply schema. Raise the number in the id when the text changes; the hash changes by itself."""

    template_id: str
    """Name and number: `raft-1`."""
    system: str
    text: str
    """User message; `{name}` is filled in by `render`."""
    schema: dict[str, Any] | None
    """JSON Schema of the reply; None where the reply is plain text."""

    @functools.cached_property
    def template_hash(self) -> str:
        """Hash of everything in the prompt but the data."""
        return content_hash([self.template_id, self.system, self.text, self.schema])


@dataclass(frozen=True, kw_only=True)
class Prompt:
    """A rendered template."""

    template: Template
    messages: tuple[Message, ...]


def render(template: Template, **fields: Any) -> Prompt:
    """Fill in a template. Raises KeyError for a field that is missing."""
    user = Message(role="user", content=template.text.format(**fields))
    system = (Message(role="system", content=template.system),) if template.system else ()
    return Prompt(template=template, messages=(*system, user))
