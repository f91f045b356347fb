"""What the makers of common teachers say about outputs, as read by `AS_OF`: dated statements that a recipe has to confirm.

    find_teacher("meta-llama/Llama-3.1-8B-Instruct").name == "Llama 3.1 to 4"

Terms change and depend on the contract: a statement counts only once the recipe confirms it (`terms.teachers.MODEL` with
`confirmed_by`), or states its own. A statement that forbids the declared use forbids it unconfirmed. Not legal advice.
"""

import re
from dataclasses import dataclass

from curation.terms.licenses import LICENSES
from curation.terms.uses import Uses

AS_OF = "2026-11"
MAX_NAME = 300


@dataclass(frozen=True, kw_only=True, slots=True)
class TeacherTerms:
    """The output terms of a family of models."""

    name: str
    patterns: tuple[str, ...]
    """Model names in lower case without the organisation; `*` stands for anything."""
    url: str
    uses: Uses
    statement: str


_RIVALS = Uses(compete="no")
_OPEN = Uses()


def _of(license: str) -> Uses:
    return LICENSES[license].uses


TEACHERS: tuple[TeacherTerms, ...] = (
    TeacherTerms(
        name="gpt-oss",
        patterns=("gpt-oss*",),
        url="https://huggingface.co/openai/gpt-oss-20b/blob/main/LICENSE",
        uses=_OPEN,
        statement="Apache-2.0 weights; the licence puts no condition on outputs.",
    ),
    TeacherTerms(
        name="OpenAI services",
        patterns=("gpt-*", "chatgpt-*", "o1", "o1-*", "o3", "o3-*", "o4-*", "ft:gpt-*", "text-davinci-*"),
        url="https://openai.com/policies/services-agreement/",
        uses=_RIVALS,
        statement="The customer owns the output, and may not use it to develop models that compete with OpenAI.",
    ),
    TeacherTerms(
        name="Anthropic services",
        patterns=("claude-*", "anthropic.claude-*"),
        url="https://www.anthropic.com/legal/commercial-terms",
        uses=_RIVALS,
        statement="Outputs are the customer's, who may not train competing models or build competing products with them.",
    ),
    TeacherTerms(
        name="Gemini API",
        patterns=("gemini-*", "models/gemini-*"),
        url="https://ai.google.dev/gemini-api/terms",
        uses=_RIVALS,
        statement="The services may not be used to develop models that compete with them.",
    ),
    TeacherTerms(
        name="Amazon Nova",
        patterns=("nova-*", "amazon.nova-*"),
        url="https://aws.amazon.com/service-terms/",
        uses=_RIVALS,
        statement="The services may not be used to develop foundation models that compete with them.",
    ),
    TeacherTerms(
        name="xAI services",
        patterns=("grok-*",),
        url="https://x.ai/legal/terms-of-service-enterprise",
        uses=Uses(compete="no", redistribute_data="unknown", redistribute_model="unknown"),
        statement="Outputs may not be used to develop competing models; read the terms on handing outputs on.",
    ),
    TeacherTerms(
        name="Command",
        patterns=("command-*", "c4ai-*", "aya-*"),
        url="https://cohere.com/terms-of-use",
        uses=Uses(commercial="unknown", compete="no", redistribute_data="unknown", redistribute_model="unknown"),
        statement="Weights are for non-commercial use (CC-BY-NC); the services may not be used to develop competing models.",
    ),
    TeacherTerms(
        name="Llama 3.1 to 4",
        patterns=tuple(f"{form}{v}*" for form in ("llama-", "llama", "meta-llama-") for v in ("3.1", "3.2", "3.3", "3_1", "4")),
        url=LICENSES["llama3.1"].url,
        uses=_of("llama3.1"),
        statement="Outputs may train other models; one that is made available has to be named Llama... and to say so.",
    ),
    TeacherTerms(
        name="Llama 2 and 3",
        patterns=("llama-2*", "llama2*", "llama-3*", "llama3*", "meta-llama-3*", "codellama*"),
        url=LICENSES["llama3"].url,
        uses=_of("llama3"),
        statement="Outputs may not be used to improve other large language models.",
    ),
    TeacherTerms(
        name="Gemma 4",
        patterns=("gemma-4*", "gemma4*"),
        url="https://ai.google.dev/gemma/terms",
        uses=_OPEN,
        statement="Apache-2.0 weights; the licence puts no condition on outputs.",
    ),
    TeacherTerms(
        name="Gemma 1 to 3n",
        patterns=("gemma-*", "gemma2*", "gemma3*", "gemma:*", "gemma"),
        url="https://ai.google.dev/gemma/terms",
        uses=_of("gemma"),
        statement="No rights in outputs are claimed, but a model trained on them may be a Model Derivative under these terms.",
    ),
    TeacherTerms(
        name="DeepSeek",
        patterns=("deepseek-r1", "deepseek-r1-0528", "deepseek-v3-0324", "deepseek-v3.*", "deepseek-chat", "deepseek-reasoner"),
        url="https://huggingface.co/deepseek-ai/DeepSeek-R1/blob/main/LICENSE",
        uses=_OPEN,
        statement="MIT weights; distillation for training other models is allowed.",
    ),
    TeacherTerms(
        name="Qwen 3",
        patterns=("qwen3*",),
        url="https://huggingface.co/Qwen/Qwen3-8B/blob/main/LICENSE",
        uses=_OPEN,
        statement="Apache-2.0 weights of the open models; the licence puts no condition on outputs.",
    ),
    TeacherTerms(
        name="Phi, Granite, OLMo, SmolLM",
        patterns=("phi-*", "phi3*", "phi4*", "granite-*", "granite3*", "granite4*", "olmo-*", "olmo2*", "smollm*"),
        url="https://huggingface.co/models",
        uses=_OPEN,
        statement="MIT or Apache-2.0 weights, according to the model's card; these licences put no condition on outputs.",
    ),
    TeacherTerms(
        name="Mistral",
        patterns=("mistral*", "mixtral*", "ministral*", "magistral*", "codestral*", "devstral*", "open-mistral*"),
        url="https://mistral.ai/terms",
        uses=Uses(
            train="unknown", commercial="unknown", redistribute_data="unknown", redistribute_model="unknown", compete="unknown"
        ),
        statement="It depends on the model (Apache-2.0 or a research licence) and on whether it is the service or the weights.",
    ),
)
"""In the order in which they are tried."""


def _compile(patterns: tuple[str, ...]) -> re.Pattern[str]:
    return re.compile("|".join(re.escape(pattern).replace(r"\*", ".*") for pattern in patterns), re.DOTALL)


_COMPILED = tuple((_compile(terms.patterns), terms) for terms in TEACHERS)


def find_teacher(model: str) -> TeacherTerms | None:
    """Return the statement about a model by its name, with or without the organisation; None if there is none.

    A name that says it was distilled from one model into another fits none: both models' terms may apply.
    """
    name = model.strip().lower()[:MAX_NAME].rpartition("/")[2]
    if "distill" in name:
        return None
    return next((terms for pattern, terms in _COMPILED if pattern.fullmatch(name)), None)
