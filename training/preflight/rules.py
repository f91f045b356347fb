"""The rules of the preflight: what is wrong when one does not hold, how bad that is, and what to do.

RULES["prompt_trained"].severity      "error": nothing is trained

Each stands for a complaint that came back again and again in the trackers of training libraries: a loss curve that looks
fine over a mask of zeros, answers that never end, two beginning-of-sequence tokens, another template at serving time.
"""

from typing import Literal, NamedTuple

Severity = Literal["error", "warning", "info"]
"""An error stops the stage before its model is loaded; a warning is worth a look; information needs nothing."""


class Rule(NamedTuple):
    """What one finding says."""

    severity: Severity
    problem: str
    """What is wrong, as a clause."""
    advice: str
    """What to do, as a sentence."""


_TEMPLATE = "Correct the chat template of the base model, or choose another `base.model`."
_TOKENIZER = "Correct the tokenizer of the base model, or choose another `base.model`."
_ROWS = "Look at the rows below; correct what makes them, or take them out of the data set."
_COLLATOR = "The rows are right and the batches are not: this is a mistake in the collator of the stage, please report it."

RULES: dict[str, Rule] = {
    # tokenizer and template
    "template_missing": Rule("error", "the tokenizer has no chat template", _TEMPLATE),
    "template_not_saved": Rule(
        "error",
        "the chat template beside the model is not the one used here",
        "Save the tokenizer with the template that it trains with: whoever serves the model reads it from that folder.",
    ),
    "template_refuses": Rule("error", "the chat template refuses conversations", f"{_TEMPLATE} Or leave such rows out."),
    "template_drops_system": Rule("warning", "the chat template leaves out a system turn without a word", _TEMPLATE),
    "generation_markers_missing": Rule(
        "error",
        "the assistant's turns are to be marked by the template, and it has no generation markers",
        "Use a template with {% generation %} around the assistant's turns: without it every label would be masked.",
    ),
    "turn_end_is_no_token": Rule(
        "error",
        "the template closes a turn with text that is no single token of this tokenizer",
        "Add the marker as a special token, or use a template made for this tokenizer; otherwise no answer would ever end.",
    ),
    "turn_end_does_not_stop": Rule(
        "error",
        "the token that closes an answer is none at which generation stops",
        "Add it to `eos_token_id` of the generation configuration of the model.",
    ),
    "end_token_missing": Rule("error", "neither the tokenizer nor the model names an end token", _TOKENIZER),
    "pad_token_missing": Rule("error", "the tokenizer has no pad token", "Give it one that stands in no text."),
    "pad_is_end": Rule(
        "info", "the pad token is an end token too", "Nothing needs to be done where end_masked_by_padding holds."
    ),
    "bos_written_twice_at_serving": Rule(
        "info",
        "template and tokenizer both write the beginning-of-sequence token",
        "A server that tokenises the rendered text must not add special tokens once more.",
    ),
    "embedding_missing": Rule(
        "error",
        "the tokenizer has tokens for which the model has no embedding",
        "Resize the embeddings of the base model to the tokenizer, or take the added tokens out.",
    ),
    # tokens of the rows
    "rows_missing": Rule(
        "error", "there are no rows to train on", "See the rejections of the stage for what was dropped and why."
    ),
    "rows_unaccounted": Rule(
        "error",
        "kept and rejected rows do not add up to the data set",
        "This is a mistake of ours in reading the data set: please report it.",
    ),
    "row_empty": Rule("error", "a row has no tokens", _ROWS),
    "labels_do_not_fit": Rule("error", "a row has not as many labels as tokens", _ROWS),
    "id_outside_vocabulary": Rule("error", "a token id lies outside the vocabulary of the model", _TOKENIZER),
    "label_outside_vocabulary": Rule("error", "a label lies outside the vocabulary of the model", _ROWS),
    "label_not_its_token": Rule(
        "error",
        "labels are not the tokens at their own places",
        "Give labels unshifted: the trainer shifts them by one itself.",
    ),
    "no_labels": Rule("error", "no token of a row is learnt", "Check the mask: such rows cost time and teach nothing."),
    "prompt_trained": Rule("error", "tokens of the prompt are learnt", "Mask everything in front of the answer."),
    "answer_masked": Rule("error", "tokens of the answer are masked", "Learn the whole answer, its end included."),
    "turns_masked": Rule(
        "error", "not every turn of the assistant is learnt, or more than those", "Mask all but the assistant's turns."
    ),
    "end_not_trained": Rule(
        "error",
        "an answer does not end with a token at which generation stops",
        "Let the template close the answer and learn the closing token: otherwise the model never stops.",
    ),
    "truncated": Rule(
        "error", "rows were cut at max_length, their end is lost", "Raise `max_length`, or reject rows that are too long."
    ),
    "too_long": Rule("error", "rows are longer than max_length", "Raise `max_length`, or reject rows that are too long."),
    "many_rejected": Rule(
        "warning", "much of the data set does not fit and is left out", "Raise `max_length`, or look at the rejections."
    ),
    "bos_repeated": Rule(
        "error",
        "the beginning-of-sequence token stands in a row more than once",
        "Tokenise rendered conversations with add_special_tokens=False: the template writes the token already.",
    ),
    "bos_missing": Rule(
        "error",
        "rows do not begin with the beginning-of-sequence token that the template writes",
        "Tokenise what the template renders.",
    ),
    "pad_in_row": Rule("error", "the pad token stands within a row", "Give the tokenizer a pad token that stands in no text."),
    "unknown_tokens": Rule(
        "warning", "the vocabulary cannot write some of the text", "Use a tokenizer with bytes to fall back on."
    ),
    "answer_empty": Rule("warning", "an answer says nothing before it ends", _ROWS),
    "duplicate_rows": Rule(
        "warning", "rows are token by token the same under different keys", "Take them out, or repeat rows by `mix` on purpose."
    ),
    # text of the rows
    "prompt_not_as_served": Rule(
        "error",
        "a prompt is not tokenised as it will be when the model is served",
        "Train with the template that serves: the rendered prompt must be the beginning of the row, token by token.",
    ),
    "turn_dropped": Rule("error", "the template leaves out turns of the prompt", _TEMPLATE),
    "turns_reordered": Rule("error", "the template puts the turns of a prompt into another order", _TEMPLATE),
    "answer_changed": Rule("error", "what is learnt is not the text of the answer", _ROWS),
    "special_token_in_text": Rule(
        "error", "a special token stands in a text, where it would end or forge a turn", "Reject such rows, or rewrite them."
    ),
    "eval_row_in_training": Rule(
        "error",
        "a question of the held-out set is trained on",
        "Take the rows out: no score on the held-out set would mean anything any more.",
    ),
    # pairs and labels
    "chosen_is_rejected": Rule("error", "the chosen and the rejected answer are the same", _ROWS),
    "pairs_contradict": Rule("error", "two pairs prefer opposite answers to one prompt", _ROWS),
    "prompt_in_answer": Rule("error", "an answer repeats its prompt token by token", "Store answers without their prompts."),
    "one_label_only": Rule(
        "error", "all answers have the same label", "KTO needs answers that are wanted and answers that are not."
    ),
    "labels_contradict": Rule("error", "one answer to one prompt is both wanted and unwanted", _ROWS),
    "reference_missing": Rule("error", "a task has nothing to check an answer against", _ROWS),
    # sizes
    "too_few_rows": Rule(
        "error", "there are fewer rows than all processes take at once", "Lower `batch_size` or `processes`, or add rows."
    ),
    "less_than_a_step": Rule(
        "warning", "the rows do not fill one optimizer step", "Lower `batch_size` or `gradient_accumulation`, or add rows."
    ),
    "last_step_partial": Rule("info", "the last step of an epoch has fewer rows than the others", "Nothing needs to be done."),
    "group_split": Rule(
        "error",
        "the answers to one prompt do not fit into the batch of all processes",
        "Make `batch_size` times processes a multiple of `num_generations`.",
    ),
    # batches of the real collator
    "batch_loses_tokens": Rule("error", "the collator loses, adds or moves tokens", _COLLATOR),
    "batch_changes_labels": Rule("error", "the collator changes labels", _COLLATOR),
    "end_masked_by_padding": Rule(
        "error",
        "the collator masks end tokens together with the padding",
        "Mask padding by position, not by value, or give the tokenizer a pad token of its own: the end would never be learnt.",
    ),
    "padding_trained": Rule("error", "padding is learnt", _COLLATOR),
    "documents_not_isolated": Rule(
        "error",
        "packed rows can see each other",
        "Restart position ids at every row, give the row lengths, and pass no attention mask with packed rows.",
    ),
    "boundary_trained": Rule("error", "the first token of a packed row is predicted from the row before it", _COLLATOR),
    "collator_failed": Rule("error", "the collator fails on these rows", _COLLATOR),
}
