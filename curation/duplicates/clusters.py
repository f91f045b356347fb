"""Which rows hang together by pairs (union-find), and the alarm when too many do.

clusters.join(1, 2); clusters.join(2, 5); clusters.groups()     [[1, 2, 5]]
"""

from dataclasses import dataclass


class Clusters:
    """Connected components of a growing graph whose nodes are integers."""

    def __init__(self) -> None:
        self._parents: dict[int, int] = {}

    def join(self, one: int, two: int) -> None:
        """Connect two nodes."""
        one, two = self._root(one), self._root(two)
        self._parents[max(one, two)] = min(one, two)

    def groups(self) -> list[list[int]]:
        """Return the components, nodes ascending, in order of their first node."""
        found: dict[int, list[int]] = {}
        for node in sorted(self._parents):
            found.setdefault(self._root(node), []).append(node)
        return [found[root] for root in sorted(found)]

    def _root(self, node: int) -> int:
        parents = self._parents
        parents.setdefault(node, node)
        while parents[node] != node:
            parents[node] = parents[parents[node]]
            node = parents[node]
        return node


@dataclass(frozen=True, kw_only=True, slots=True)
class ClusterAlarm:
    """Near copies that hang together in so large a cluster that a template is likelier than copies."""

    key: str
    """Key of the row that would stay."""
    keys: tuple[str, ...]
    """All rows of the cluster, in the order in which they would be preferred."""
    sources: tuple[str, ...]
    num_duplicates: int
    """How many rows copy another one of the cluster directly."""
    were_dropped: bool
    detail: str
    """One sentence for people."""
