"""The sections of a recipe that curation reads, in one place.

CurateSettings(curate=recipe.curate, licenses={"api": "MIT"})
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

from curation.contamination.config import ContaminationConfig
from curation.curate.config import CurateConfig
from curation.privacy.config import PrivacyConfig
from curation.quality.expectation import ExpectationConfig
from curation.terms.config import TermsConfig


@dataclass(frozen=True, kw_only=True)
class CurateSettings:
    """What the recipe asks of curation."""

    curate: CurateConfig = CurateConfig()
    privacy: PrivacyConfig = PrivacyConfig()
    contamination: ContaminationConfig = ContaminationConfig()
    terms: TermsConfig = TermsConfig()
    licenses: Mapping[str, str] = field(default_factory=dict)
    """Licence by source, as the recipe declares it."""
    suite: tuple[ExpectationConfig, ...] = ()
    """Expectations of the table `curated_examples`."""
