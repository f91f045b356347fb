"""A catalogue of licences: how we read each as of `AS_OF`, by SPDX id or by the name that the Hugging Face Hub uses.

    find_license("cc-by-nc-4.0").uses.commercial == "no"

These are readings for a gate that fails closed, not legal advice. Whoever knows better states it in the recipe
(`terms.sources.NAME.allowed` with a reason and a name). A licence that is not listed is unknown.
"""

from dataclasses import dataclass, replace

from curation.terms.uses import Uses

AS_OF = "2026-11"

_FREE = Uses()
_NAMED = Uses(attribution=True)
_UNKNOWN = Uses(
    train="unknown", commercial="unknown", redistribute_data="unknown", redistribute_model="unknown", compete="unknown"
)
_MODEL_NOTE = "Whether a model trained on the text has to carry the same licence is not settled; name it in the model card."
_RESTRICTED = Uses(attribution=True, note="Its use restrictions have to be passed on with whatever is shared.")


@dataclass(frozen=True, kw_only=True, slots=True)
class License:
    """One licence of the catalogue."""

    name: str
    url: str
    uses: Uses


def _spdx(uses: Uses, *names: str) -> list[License]:
    return [License(name=name, url=f"https://spdx.org/licenses/{name}.html", uses=uses) for name in names]


def _shared(name: str, *also: str, base: Uses = _NAMED) -> list[License]:
    return _spdx(replace(base, share_alike=(name, *also), note=_MODEL_NOTE), name)


def _creative_commons() -> list[License]:
    rows: list[License] = []
    no_sale = replace(_NAMED, commercial="no")
    for version in ("1.0", "2.0", "2.5", "3.0", "4.0"):
        rows += _spdx(_NAMED, f"CC-BY-{version}")
        rows += _spdx(no_sale, f"CC-BY-NC-{version}")
        closed = replace(_NAMED, redistribute_data="no", redistribute_model="unknown", note="Adaptations may not be shared.")
        rows += _spdx(closed, f"CC-BY-ND-{version}")
        rows += _spdx(replace(closed, commercial="no"), f"CC-BY-NC-ND-{version}")
    for kind, base in (("CC-BY-SA", _NAMED), ("CC-BY-NC-SA", no_sale)):
        rows += _shared(f"{kind}-1.0", base=base)
        rows += _shared(f"{kind}-2.0", f"{kind}-2.5", f"{kind}-3.0", f"{kind}-4.0", base=base)
        rows += _shared(f"{kind}-2.5", f"{kind}-3.0", f"{kind}-4.0", base=base)
        rows += _shared(f"{kind}-3.0", f"{kind}-4.0", base=base)
    rows += _shared("CC-BY-SA-4.0", "GPL-3.0-only")
    rows += _shared("CC-BY-NC-SA-4.0", base=no_sale)
    return rows


def _copyleft() -> list[License]:
    rows: list[License] = []
    later = {"GPL-1.0": ("GPL-2.0", "GPL-3.0"), "GPL-2.0": ("GPL-3.0",), "GPL-3.0": ()}
    for name, newer in later.items():
        others = ("AGPL-3.0-only",) if name == "GPL-3.0" else ()
        rows += _shared(f"{name}-only", *others)
        rows += _shared(f"{name}-or-later", *(f"{item}-only" for item in (name, *newer)), "AGPL-3.0-only")
    rows += _shared("AGPL-3.0-only")
    rows += _shared("AGPL-3.0-or-later", "AGPL-3.0-only")
    for name in ("LGPL-2.0", "LGPL-2.1", "LGPL-3.0"):
        gpl = ("GPL-3.0-only",) if name == "LGPL-3.0" else ("GPL-2.0-only", "GPL-3.0-only")
        rows += _shared(f"{name}-only", *gpl)
        rows += _shared(f"{name}-or-later", f"{name}-only", "LGPL-3.0-only", *gpl)
    rows += _shared("MPL-2.0", "GPL-2.0-only", "GPL-3.0-only", "LGPL-2.1-only", "LGPL-3.0-only", "AGPL-3.0-only")
    for name in ("EPL-1.0", "EPL-2.0", "EUPL-1.2", "CDDL-1.0", "GFDL-1.2-only", "GFDL-1.3-only", "GFDL-1.3-or-later"):
        rows += _shared(name)
    return rows


def _data_licenses() -> list[License]:
    computing = replace(_FREE, note="For computational use only.")
    rows = _spdx(_FREE, "PDDL-1.0", "CDLA-Permissive-2.0") + _spdx(computing, "C-UDA-1.0")
    rows += _spdx(_NAMED, "ODC-By-1.0", "CDLA-Permissive-1.0", "OGL-UK-3.0", "OGL-UK-2.0", "OGL-Canada-2.0", "etalab-2.0")
    return rows + _shared("ODbL-1.0") + _shared("CDLA-Sharing-1.0")


def _model_licenses() -> list[License]:
    llama_url = "https://www.llama.com/{}/license/"
    closed = Uses(compete="no", attribution=True, note="Outputs may not improve other large language models than Llama.")
    named = Uses(
        attribution=True,
        note="A model that is made available has to be named Llama... and to show 'Built with Llama'; larger companies than "
        "700 million monthly users need a licence of their own.",
    )
    rows = [License(name=name, url=llama_url.format(name), uses=closed) for name in ("llama2", "llama3")]
    versions = ("llama3.1", "llama3.2", "llama3.3", "llama4")
    rows += [License(name=name, url=llama_url.format(name.replace(".", "_")), uses=named) for name in versions]
    gemma = replace(_RESTRICTED, note="A model trained on outputs may be a Model Derivative: pass Gemma's terms on with it.")
    rows.append(License(name="gemma", url="https://ai.google.dev/gemma/terms", uses=gemma))
    rail = "https://www.licenses.ai/ai-licenses"
    names = ("openrail", "openrail++", "creativeml-openrail-m", "bigscience-openrail-m", "bigscience-bloom-rail-1.0")
    rows += [License(name=name, url=rail, uses=_RESTRICTED) for name in (*names, "bigcode-openrail-m")]
    research = Uses(
        commercial="no", redistribute_model="unknown", compete="unknown", attribution=True, note="For research only."
    )
    rows.append(License(name="mrl", url="https://mistral.ai/licenses/MRL-0.1.md", uses=research))
    rows.append(License(name="qwen-research", url="https://huggingface.co/Qwen/Qwen2.5-3B/blob/main/LICENSE", uses=research))
    return rows


def _others() -> list[License]:
    private = replace(_UNKNOWN, redistribute_data="no", redistribute_model="no", note="All rights are reserved.")
    return [
        License(name="proprietary", url="", uses=private),
        License(name="own", url="", uses=replace(_FREE, note="The owner of the recipe holds the rights.")),
        License(name="public-domain", url="https://creativecommons.org/publicdomain/mark/1.0/", uses=_FREE),
    ]


def _permissive() -> list[License]:
    free = ("CC0-1.0", "CC-PDDC", "Unlicense", "0BSD", "MIT-0", "WTFPL", "BlueOak-1.0.0")
    named = ("MIT", "Apache-2.0", "Apache-1.1", "BSD-1-Clause", "BSD-2-Clause", "BSD-3-Clause", "BSD-3-Clause-Clear")
    more = ("BSD-4-Clause", "ISC", "Zlib", "PostgreSQL", "Python-2.0", "PSF-2.0", "BSL-1.0", "Artistic-2.0", "NCSA", "UPL-1.0")
    last = ("MS-PL", "AFL-3.0", "ECL-2.0", "HPND", "NIST-PD", "W3C", "X11", "JSON", "OFL-1.1", "Unicode-3.0", "MulanPSL-2.0")
    return _spdx(_FREE, *free) + _spdx(_NAMED, *named, *more, *last)


LICENSES: dict[str, License] = {
    row.name.lower(): row
    for row in (
        *_permissive(),
        *_creative_commons(),
        *_copyleft(),
        *_data_licenses(),
        *_model_licenses(),
        *_others(),
    )
}
"""By lower-case name."""

ALIASES: dict[str, str] = {
    "apache": "Apache-2.0",
    "apache 2.0": "Apache-2.0",
    "apache2": "Apache-2.0",
    "apache license 2.0": "Apache-2.0",
    "mit license": "MIT",
    "bsd": "BSD-3-Clause",
    "bsd-2": "BSD-2-Clause",
    "bsd-3": "BSD-3-Clause",
    "new bsd": "BSD-3-Clause",
    "cc0": "CC0-1.0",
    "pddl": "PDDL-1.0",
    "odc-by": "ODC-By-1.0",
    "odbl": "ODbL-1.0",
    "etalab": "etalab-2.0",
    "ofl": "OFL-1.1",
    "public domain": "public-domain",
    "pd": "public-domain",
    "all rights reserved": "proprietary",
    "licenseref-proprietary": "proprietary",
    "licenseref-own": "own",
    "licenseref-public-domain": "public-domain",
    "c-uda": "C-UDA-1.0",
    "cc-by-nc-sa": "CC-BY-NC-SA-4.0",
    "llama-3.1": "llama3.1",
    "llama-3.2": "llama3.2",
    "llama-3.3": "llama3.3",
}
"""Other spellings, in lower case."""

_HUB_NAMES = """
    afl-3.0 agpl-3.0 apache-2.0 artistic-2.0 bigcode-openrail-m bigscience-bloom-rail-1.0 bigscience-openrail-m bsd-2-clause
    bsd-3-clause bsd-3-clause-clear bsl-1.0 c-uda cc-by-2.0 cc-by-2.5 cc-by-3.0 cc-by-4.0 cc-by-nc-2.0 cc-by-nc-3.0 cc-by-nc-4.0
    cc-by-nc-nd-3.0 cc-by-nc-nd-4.0 cc-by-nc-sa-2.0 cc-by-nc-sa-3.0 cc-by-nc-sa-4.0 cc-by-nd-4.0 cc-by-sa-3.0 cc-by-sa-4.0
    cc0-1.0 cdla-permissive-1.0 cdla-permissive-2.0 cdla-sharing-1.0 creativeml-openrail-m ecl-2.0 epl-1.0 epl-2.0 etalab-2.0
    eupl-1.2 gemma gpl-2.0 gpl-3.0 isc lgpl-2.1 lgpl-3.0 llama2 llama3 llama3.1 llama3.2 llama3.3 llama4 mit mpl-2.0 ms-pl ncsa
    odbl odc-by ofl-1.1 openrail openrail++ pddl postgresql unlicense wtfpl zlib
"""
HUB_NAMES: frozenset[str] = frozenset(_HUB_NAMES.split())
"""Names that the Hugging Face Hub takes in the front matter of a card."""

_HUB_SPELLINGS = {"odc-by-1.0": "odc-by", "odbl-1.0": "odbl", "pddl-1.0": "pddl", "c-uda-1.0": "c-uda"}


def hub_name(name: str) -> str:
    """Return the Hub's name of a licence, or an empty text if it has none."""
    lowered = name.lower().removesuffix("-only").removesuffix("-or-later")
    spelled = _HUB_SPELLINGS.get(lowered, lowered)
    return spelled if spelled in HUB_NAMES else ""


def find_license(name: str) -> License | None:
    """Return the entry of a licence by SPDX id, Hub name or common spelling; None if the catalogue does not list it."""
    lowered = " ".join(name.lower().split())
    return LICENSES.get(ALIASES.get(lowered, lowered).lower())
