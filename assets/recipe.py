"""The recipe: everything that one fine-tune is made of, composed of the sections that each library owns.

recipe = load_recipe(Path("recipes/sdk_assistant.yaml"))     # pipelines.recipe
recipe.asset("sft_model")                                    # "sdk_assistant/sft_model"
"""

import os
import re
from pathlib import Path

from dagster._core.definitions.utils import is_valid_owner
from dagster._utils.schedules import is_valid_cron_string

from curation.collapse.config import CollapseConfig
from curation.config import check, config
from curation.contamination.config import OFFLINE_MODEL, ContaminationConfig
from curation.curate.config import CurateConfig
from curation.curate.settings import CurateSettings
from curation.errors import UnknownShardError
from curation.ingest.config import SourceConfig
from curation.judging.config import JudgeConfig
from curation.mix.config import MixConfig, SelectionConfig
from curation.privacy.config import PrivacyConfig
from curation.quality.config import QualityConfig
from curation.review.config import ReviewConfig
from curation.synthesis.batch import BatchConfig
from curation.synthesis.budget.config import BudgetConfig
from curation.synthesis.config import ON_DEMONSTRATIONS, ON_DOCUMENTS, ON_NOTHING, GenerateConfig
from curation.synthesis.stage import CandidateSettings
from curation.synthesis.teachers.config import TeacherConfig, check_teachers
from curation.terms.config import TermsConfig
from evaluation.config import EvaluationConfig
from evaluation.forgetting.config import ForgettingConfig
from evaluation.gate.promises import check_release
from evaluation.papers.config import PapersConfig
from evaluation.release.config import ReleaseConfig
from training.config import TrainingConfig


@config
class Recipe:
    """One fine-tune, from its sources to its release."""

    name: str
    """Lower-case name; the prefix of all its assets in Dagster."""

    description: str = ""
    """What the tuned model is for, in a sentence or two."""

    owner: str = ""
    """E-mail address, or `team:NAME`, shown as the owner of every asset."""

    schedule: str = "0 6 * * 1"
    """Cron line of the retraining sweep (default: Mondays at six). It costs nothing when nothing changed."""

    sources: tuple[SourceConfig, ...]
    """Where documents and demonstrations come from."""

    teacher: TeacherConfig = TeacherConfig()
    """The model that writes synthetic examples."""

    teachers: tuple[TeacherConfig, ...] = ()
    """Several teachers instead of one: by weight, and weight 0 for those who are asked only when the others do not answer."""

    judge: JudgeConfig | None = None
    """A model that scores every example by a rubric, as advice for people. Null: nobody does."""

    batch: BatchConfig | None = None
    """Ask in batches, for endpoints with OpenAI's files and batches: cheaper, and hours later. Null: live."""

    budget: BudgetConfig = BudgetConfig()
    """What may be spent on teachers."""

    generate: GenerateConfig = GenerateConfig()
    """Which examples and pairs the teacher writes."""

    privacy: PrivacyConfig = PrivacyConfig()
    """Personal data and secrets: masked, replaced or rejected before anybody sees them."""

    curate: CurateConfig = CurateConfig()
    """Rules for rows and documents, duplicates and the train / eval split."""

    contamination: ContaminationConfig = ContaminationConfig()
    """Benchmarks that training rows must not give away, besides the recipe's own held-out rows."""

    terms: TermsConfig = TermsConfig()
    """What the rows are for, and the licences and terms of sources and teachers."""

    collapse: CollapseConfig = CollapseConfig()
    """When data made by models has become too much, too deep or too uniform."""

    selection: SelectionConfig = SelectionConfig()
    """Keep only the best and most different rows for training."""

    mix: MixConfig = MixConfig()
    """Weights and epochs of the sources, and the share of replay."""

    quality: QualityConfig = QualityConfig()
    """Great Expectations suites, one asset check an expectation."""

    review: ReviewConfig = ReviewConfig()
    """Who has to accept rows before anything is trained on them."""

    training: TrainingConfig = TrainingConfig()
    """The base model and the stages that it goes through."""

    evaluation: EvaluationConfig = EvaluationConfig()
    """Held-out items, comparators and metrics."""

    forgetting: ForgettingConfig | None = None
    """What a model has to know still after every stage of training. Null: not measured."""

    release: ReleaseConfig = ReleaseConfig()
    """What a candidate has to show before it is promoted."""

    papers: PapersConfig = PapersConfig()
    """What only people can say about the model, for its card and its bill of materials."""

    def __post_init__(self) -> None:
        check(
            bool(re.fullmatch(r"[a-z][a-z0-9_]{0,62}", self.name)),
            "name",
            "must be lower-case letters, digits and _",
            self.name,
        )
        check(bool(self.sources), "sources", "needs at least one source", [])
        names = [source.name for source in self.sources]
        check(len(set(names)) == len(names), "sources", "source names must differ", names)
        check(
            not self.owner or is_valid_owner(self.owner),
            "owner",
            "must be an e-mail address or team:NAME",
            self.owner,
        )
        check(is_valid_cron_string(self.schedule), "schedule", "must be a cron line such as '0 6 * * 1'", self.schedule)
        self.mix.check_sources(names)
        is_one = self.teacher == TeacherConfig() or not self.teachers
        check(is_one, "teachers", "replaces `teacher`: give one of the two", [teacher.label for teacher in self.teachers])
        check_teachers(self.all_teachers)
        has_endpoint = self.batch is None or self.uses_model
        check(has_endpoint, "batch", "has no effect without a teacher of kind 'openai'", "batch")
        check_release(self.evaluation, self.release)
        asks_teacher = "teacher" in self.evaluation.comparators
        problem = "names the teacher, and an extractive one answers no questions: give a teacher of kind 'openai'"
        check(not asks_teacher or self.all_teachers[0].kind == "openai", "evaluation.comparators", problem, "teacher")
        self._check_stages()

    def _check_stages(self) -> None:
        has_demonstrations = any(source.role == "demonstrations" for source in self.sources)
        has_documents = any(source.role == "documents" for source in self.sources)
        on_documents, on_demonstrations = self.generate.methods(ON_DOCUMENTS), self.generate.methods(ON_DEMONSTRATIONS)
        check(
            bool(on_documents) or has_demonstrations or bool(self.generate.methods(ON_NOTHING)),
            "generate",
            "needs a method that works on documents (routing, document_qa, raft, ...), or a source with role demonstrations",
            None,
        )
        problem = "needs a source with role documents, since generate writes examples from them"
        check(has_documents or not on_documents, "sources", problem, on_documents)
        problem = "needs a source with role demonstrations, since generate starts from them"
        check(has_demonstrations or not on_demonstrations, "sources", problem, on_demonstrations)
        for position, stage in enumerate(self.training.stages):
            has_pairs = stage.data.table != "pairs" or self.generate.pairs is not None
            problem = f"(method '{stage.method}') needs preference pairs: add a `generate.pairs` section, or drop this stage"
            check(has_pairs, f"training.stages.{position}", problem, "generate.pairs missing")
            has_tasks = stage.data.table != "tasks" or self.generate.makes_tasks
            problem = (
                f"(method '{stage.method}') needs verifiable tasks: add a `generate` method that makes them, or set "
                "`rl: {prompts: examples}` and name a grader in `rewards`"
            )
            check(has_tasks, f"training.stages.{position}", problem, "no tasks are generated")
            has_ratings = stage.data.table != "unpaired" or self.has_ratings
            problem = (
                f"(method '{stage.method}') needs ratings: a source with role demonstrations that has them, or a review policy"
            )
            check(has_ratings, f"training.stages.{position}", problem, "no ratings")

    def curate_settings(self) -> CurateSettings:
        """Return the sections that curation reads."""
        return CurateSettings(
            curate=self.curate,
            privacy=self.privacy,
            contamination=self.contamination,
            terms=self.terms,
            licenses={source.name: source.license for source in self.sources},
            suite=self.quality.suite("curated_examples"),
        )

    @property
    def has_ratings(self) -> bool:
        """Whether answers may be rated good or bad: by a review, or in the demonstrations."""
        return self.review.policy != "none" or any(source.role == "demonstrations" for source in self.sources)

    @property
    def embedding_model(self) -> str | None:
        """The model that makes vectors for curation; None where the recipe asks for nothing that needs them."""
        wants_vectors = self.curate.duplicates.semantic_threshold is not None
        return self.contamination.embedding or (OFFLINE_MODEL if wants_vectors else None)

    @property
    def all_teachers(self) -> tuple[TeacherConfig, ...]:
        """The teachers of this recipe, in its order."""
        return self.teachers or (self.teacher,)

    @property
    def uses_model(self) -> bool:
        """Whether a language model writes rows, and not rules only."""
        return any(teacher.kind == "openai" for teacher in self.all_teachers)

    def candidate_settings(self) -> CandidateSettings:
        """Return the sections that generation reads."""
        return CandidateSettings(
            recipe=self.name,
            teachers=self.all_teachers,
            generate=self.generate,
            budget=self.budget,
            judge=self.judge,
            batch=self.batch,
            curate=self.curate,
        )

    def asset(self, name: str) -> str:
        """Return the store key of one of this recipe's assets."""
        return f"{self.name}/{name}"

    def source_of(self, shard: str) -> SourceConfig:
        """Return the source that a shard key belongs to. Raises UnknownShardError for a shard of no source."""
        name = shard.rsplit("-", 1)[0]
        for source in self.sources:
            if source.name == name:
                return source
        raise UnknownShardError(recipe=self.name, shard=shard)


RECIPES = Path(os.environ.get("TUNEWRIGHT_RECIPES") or Path(__file__).parent.parent / "recipes")
"""The folder whose `*.yaml` files become assets; TUNEWRIGHT_RECIPES names another one than that of the project."""
