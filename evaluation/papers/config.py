"""What only people can say about a model, for its card and its bill of materials (recipe section `papers`).

papers:
  intended_use: Sends a question of a customer to the team that answers it.
  limits: [English only, "not for questions about prices"]
  license: apache-2.0
"""

from curation.config import check, config

MAX_TEXT = 4000
ADDRESSES = ("http://", "https://")


@config
class PapersConfig:
    """What the papers say that no run can measure. What is left out is named in the card as not stated."""

    intended_use: str = ""
    """What the model is for. Empty: the description of the recipe."""

    users: tuple[str, ...] = ()
    """Who is meant to use it."""

    out_of_scope: str = ""
    """What it must not be used for."""

    limits: tuple[str, ...] = ()
    """Known limits, one sentence each, beside those that were measured."""

    risks: tuple[str, ...] = ()
    """Risks to people, one sentence each, with what is done about them."""

    domain: str = ""
    """Field of application, such as `customer support`."""

    languages: tuple[str, ...] = ()
    """Languages that it answers in, as ISO 639 codes (`en`)."""

    license: str = ""
    """Licence of the model, an SPDX id or a name of the Hugging Face Hub. Empty: taken from the sources where they agree."""

    contact: str = ""
    """Who answers questions about it. Empty: the owner of the recipe."""

    download_url: str = ""
    """Where others get the model. Empty: it lies beside its papers."""

    watts_per_device: float | None = None
    """Electric power of one device in training, watts; with it, the papers state an estimate of the energy."""

    grid_grams_per_kwh: float | None = None
    """Grams of CO2 equivalent of a kilowatt hour where training ran."""

    openlineage: str = ""
    """Empty: no events. `file`: OpenLineage events in a file beside the card. A web address: sent there as well."""

    def __post_init__(self) -> None:
        for name in ("intended_use", "out_of_scope", "domain", "license", "contact"):
            text = getattr(self, name)
            check(len(text) <= MAX_TEXT, f"papers.{name}", f"must have at most {MAX_TEXT} characters", len(text))
        for name in ("users", "limits", "risks", "languages"):
            texts = getattr(self, name)
            check(all(text.strip() for text in texts), f"papers.{name}", "must hold no empty text", texts)
        is_code = all(code.isalpha() and 2 <= len(code) <= 3 and code.islower() for code in self.languages)
        check(is_code, "papers.languages", "must be ISO 639 codes such as en", self.languages)
        for name in ("download_url",):
            check(_is_address(getattr(self, name)), f"papers.{name}", "must be a web address", getattr(self, name))
        sent = self.openlineage == "file" or _is_address(self.openlineage)
        check(sent, "papers.openlineage", "must be empty, 'file' or a web address", self.openlineage)
        watts, grams = self.watts_per_device, self.grid_grams_per_kwh
        check(watts is None or 0 < watts <= 100_000, "papers.watts_per_device", "must lie in (0, 100000]", watts)
        check(grams is None or 0 <= grams <= 10_000, "papers.grid_grams_per_kwh", "must lie in [0, 10000]", grams)
        check(grams is None or watts is not None, "papers.grid_grams_per_kwh", "has no effect without watts_per_device", grams)


def _is_address(text: str) -> bool:
    return not text or (text.startswith(ADDRESSES) and len(text) <= 2000 and text.isprintable() and " " not in text)
