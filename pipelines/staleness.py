"""Which assets are out of date, by what the store holds: the ground truth behind the sweep and `tunewright run`.

Dagster's own stale status looks one hop back, ignores deletions and gives up at 100 partitions, so we compare the roots
ourselves: a snapshot is stale when it was made by other code or settings, from other versions than its inputs have now, or
when files that it points to are gone.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

from dagster._core.definitions.assets.graph.base_asset_graph import BaseAssetGraph

from assets.answer_tables import timings_snapshot
from assets.answers import champion_before
from assets.curated import review_keys_snapshot
from assets.evaluation_judge import labels_before
from assets.exports import live_model
from assets.forgetting import suite_snapshot
from assets.ingest import manifest_snapshot, shard_snapshot
from assets.protected_items import protected_files
from assets.recipe import Recipe
from assets.release import approvals
from assets.review import review_state
from assets.reviewed_documents import finding_snapshots
from assets.withdrawals import withdrawal_snapshots
from curation.home import Home
from curation.ids import content_hash
from curation.ingest.sources import SourceShard
from curation.store import Snapshot
from evaluation.forgetting.suite import load_suite


@dataclass(frozen=True, kw_only=True)
class Target:
    """One thing to materialize: an asset, or one partition of it, and the state that asks for it."""

    asset: str
    partition: str
    wanted: str
    """Names the state that it should reflect: the code and all that is upstream (a verdict may open the gate of a training that
    was refused, and change none of its inputs). Equal states are retried a bounded number of times."""


def find_stale(recipe: Recipe, home: Home, graph: BaseAssetGraph[Any], shards: Iterable[SourceShard]) -> list[Target]:
    """Return what has to run, in the order of the graph; downstream of a stale asset nothing is listed yet."""
    shards = tuple(shards)
    store = home.store()
    found = (item for item in store.list_snapshots(recipe.name) if store.holds(item))
    snapshots = {_name(item.asset, item.partition): item for item in found}
    observed = [*(shard_snapshot(recipe, shard) for shard in shards), manifest_snapshot(recipe, shards)]
    observed += [review_state(recipe, home), champion_before(recipe, home), *withdrawal_snapshots(recipe, home, shards)]
    observed += [
        live_model(recipe, home),
        approvals(recipe, home),
        *finding_snapshots(snapshots.values()),
        *protected_files(recipe, pins=False),
    ]
    if recipe.forgetting is not None:
        observed.append(suite_snapshot(recipe, load_suite(recipe.forgetting)))
    if recipe.evaluation.judge is not None and {recipe.asset("answers"), recipe.asset("review_queue")} <= snapshots.keys():
        observed.append(labels_before(recipe, home, recipe.evaluation.judge))
    observed += [*_beside(recipe, snapshots, "curated_examples", review_keys_snapshot)]
    observed += [*_beside(recipe, snapshots, "answers", timings_snapshot)]
    now = {name: item.version for name, item in snapshots.items()}
    now |= {_name(item.asset, item.partition): item.version for item in observed}
    stale: list[Target] = []
    upstream: dict[str, set[str]] = {}
    blocked: set[tuple[str, str]] = set()
    for key in graph.toposorted_asset_keys:
        node = graph.get(key)
        asset = "/".join(key.path)
        parents = {"/".join(parent.path) for parent in node.parent_keys}
        upstream[asset] = parents.union(*(upstream[parent] for parent in parents))
        if key.path[0] != recipe.name or not node.is_materializable:
            continue
        for partition in [shard.key for shard in shards] if node.is_partitioned else [""]:
            target = _target(asset, partition, node.code_version or "", snapshots, now, shards)
            if any(parent in parents and (not partition or other in ("", partition)) for parent, other in blocked):
                blocked.add((asset, partition))
            elif target is not None:
                stale.append(replace(target, wanted=f"{target.wanted};{_state_of(upstream[asset], partition, now)}"))
                blocked.add((asset, partition))
    return stale


def _beside(
    recipe: Recipe, snapshots: Mapping[str, Snapshot], name: str, part: Callable[[Recipe, Snapshot], Snapshot]
) -> Iterator[Snapshot]:
    """Yield what an asset holds that is no part of its version, if it is there."""
    found = snapshots.get(recipe.asset(name))
    if found is not None:
        yield part(recipe, found)


def _target(
    asset: str,
    partition: str,
    code: str,
    snapshots: Mapping[str, Snapshot],
    now: Mapping[str, str],
    shards: tuple[SourceShard, ...],
) -> Target | None:
    found = snapshots.get(_name(asset, partition))
    if found is None:
        return Target(asset=asset, partition=partition, wanted=f"missing:{code}")
    changed = sorted(name for name, version in found.inputs.items() if now.get(name) != version)
    used = {name.partition("[")[2].rstrip("]") for name in found.inputs if "[" in name}
    listed = {shard.key for shard in shards}
    came_or_went = not partition and bool(used) and used != listed
    is_incomplete = not found.fingerprint
    if found.code == code and not changed and not came_or_went and not is_incomplete:
        return None
    state = [code, *(f"{name}={now.get(name)}" for name in changed), *(sorted(listed) if came_or_went else [])]
    return Target(asset=asset, partition=partition, wanted=";".join(state))


def _state_of(assets: set[str], partition: str, now: Mapping[str, str]) -> str:
    named = {name: version for name, version in now.items() if name.partition("[")[0] in assets}
    return content_hash({name: named[name] for name in named if not partition or name.endswith(f"[{partition}]")})


def _name(asset: str, partition: str) -> str:
    return f"{asset}[{partition}]" if partition else asset
