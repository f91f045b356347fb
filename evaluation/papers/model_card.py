"""The model card: Markdown with the front matter of the Hugging Face Hub. What is unknown says how to state it.

card = write_model_card(facts, cite)      --- license: apache-2.0 ... --- # sdk_assistant ...
"""

import yaml

from evaluation.papers import about_it, about_making, about_results
from evaluation.papers.citations import Citations
from evaluation.papers.facts import PaperFacts
from evaluation.papers.header import front_matter
from evaluation.papers.markup import paragraphs, plain

SECTIONS = (
    ("Model", about_it.about_model),
    ("Intended use and limits", about_it.about_use),
    ("Evaluation", about_results.about_evaluation),
    ("Forgetting", about_results.about_forgetting),
    ("Training", about_making.about_training),
    ("Training data", about_making.about_data),
    ("Environment and cost", about_making.about_cost),
    ("How to use it", about_it.about_usage),
    ("Where every number comes from", about_it.about_evidence),
)


def write_model_card(facts: PaperFacts, cite: Citations) -> str:
    """Return the card, having cited every number of it."""
    head = yaml.safe_dump(front_matter(facts, cite), sort_keys=False, allow_unicode=True, width=1000)
    body = [f"## {title}\n\n{write(facts, cite)}" for title, write in SECTIONS]
    return f"---\n{head}---\n\n" + paragraphs(f"# {plain(facts.recipe)}", plain(facts.description), *body) + "\n"
