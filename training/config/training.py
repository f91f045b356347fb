"""The training section of a recipe: the base model and its stages.

config = TrainingConfig(stages=(StageConfig(method="dapt"), StageConfig(method="sft")))
config.model_names          ("base_model", "dapt_model", "sft_model")
config.parents              ("base_model", "dapt_model"): what each stage starts from
"""

from curation.config import check, config
from training.config.methods import TrainingData
from training.config.model import BaseModelConfig
from training.config.stage import StageConfig
from training.config.tracking import Tracker, check_trackers
from training.scale.config import Layout, ScaleConfig, Strategy

BASE_MODEL = "base_model"


@config
class TrainingConfig:
    """The base model, and the stages that it goes through."""

    base: BaseModelConfig = BaseModelConfig()
    """Where training starts."""

    stages: tuple[StageConfig, ...] = (StageConfig(method="sft"),)
    """The stages in their order; each starts from the model of the one before, reward models aside."""

    seed: int = 0
    """Seed of the small base model, and of every stage that has none of its own."""

    processes: int = 1
    """Training processes on each host, one a GPU."""

    nodes: int = 1
    """Hosts that train together."""

    strategy: Strategy = "ddp"
    """`ddp` copies the model to every device; `fsdp2` and `deepspeed_zero3` spread weights, gradients and optimizer over them,
    `deepspeed_zero2` only the latter two."""

    scale: ScaleConfig = ScaleConfig()
    """Where hosts meet, restarts, the mesh of devices, and who starts the processes."""

    price_per_gpu_hour: float | None = None
    """US dollars for a device and hour; with it, a model's page says what its training cost."""

    trackers: tuple[Tracker, ...] = ()
    """Experiment trackers that are told of every run (`mlflow`, `wandb`, `trackio`), each of which has to be installed."""

    def __post_init__(self) -> None:
        price = self.price_per_gpu_hour
        check(price is None or 0 <= price < 10_000, "training.price_per_gpu_hour", "must lie in [0, 10000)", price)
        check_trackers(self.trackers)
        check(0 <= self.seed < 2**32, "training.seed", "must lie in [0, 2**32)", self.seed)
        check(self.layout.world_size >= 1, "training.processes", "must be at least 1", self.processes)
        check(bool(self.stages), "training.stages", "needs at least one stage", [])
        names = [stage.model_name for stage in self.stages]
        for position, name in enumerate(names):
            again = f"gives a second model the name '{name}'; set `name` to one of its own"
            check(name not in names[:position], f"training.stages.{position}.name", again, self.stages[position].name)
        for position, stage in enumerate(self.stages):
            if self.base.model is None and stage.max_length is not None:
                longest = self.base.context_length
                path = f"training.stages.{position}.max_length"
                check(stage.max_length <= longest, path, f"is above base.context_length ({longest})", stage.max_length)

        launcher = self.scale.launcher.kind
        is_here = launcher == "subprocess" or not any(stage.learning_rate_check for stage in self.stages)
        problem = "tries rates on the machine of the Dagster run alone; switch learning_rate_check of the stages off"
        check(is_here, "training.scale.launcher", problem, launcher)
        self._check_models()

    @property
    def layout(self) -> Layout:
        """The devices that train. Raises ConfigError."""
        return Layout(processes=self.processes, nodes=self.nodes, strategy=self.strategy, scale=self.scale)

    def _check_models(self) -> None:
        """Refuse a model that is not there when the stage needs it."""
        for position, stage in enumerate(self.stages):
            scoring = [other.model_name for other in self.stages[:position] if other.method == "reward"]
            for reward in stage.rewards:
                known = f"must name an earlier stage of method reward ({', '.join(scoring) or 'there is none'})"
                check(
                    reward.model is None or reward.model in scoring, f"training.stages.{position}.rewards", known, reward.model
                )
            teacher = stage.distillation.teacher if stage.distillation else ""
            path = f"training.stages.{position}.distillation.teacher"
            later = teacher in self.model_names[position + 1 :]
            check(not later, path, "names a model that is made later", teacher)
            check(teacher not in scoring, path, "names a reward model, which writes nothing", teacher)
        check(len(self.answering_models) > 1, "training.stages", "needs a stage other than reward", "reward")

    @property
    def model_names(self) -> tuple[str, ...]:
        """Names of all models in the order in which they are made, the base first."""
        return (BASE_MODEL, *(stage.model_name for stage in self.stages))

    @property
    def parents(self) -> tuple[str, ...]:
        """For each stage the name of the model that it starts from."""
        parents, current = [], BASE_MODEL
        for stage in self.stages:
            parents.append(current)
            current = current if stage.method == "reward" else stage.model_name
        return tuple(parents)

    @property
    def answering_models(self) -> tuple[str, ...]:
        """Names of the models that answer questions, the base first; the last one is the result."""
        return (BASE_MODEL, *(stage.model_name for stage in self.stages if stage.method != "reward"))

    def models_used(self, stage: StageConfig) -> tuple[str, ...]:
        """Return the models of this recipe that a stage uses besides the one that it starts from."""
        return tuple(name for name in stage.other_models if name in self.model_names)

    @property
    def data(self) -> tuple[TrainingData, ...]:
        """What the stages read, each data set once, in order of use."""
        return tuple(dict.fromkeys(stage.data for stage in self.stages))

    def reads(self, dataset: str) -> bool:
        """Tell whether a stage learns from a data set."""
        return any(data.dataset == dataset for data in self.data)
