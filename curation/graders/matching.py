"""Pairs what was found with what was wanted where order does not count.

match_pairs([[1.0, 1.0], [1.0, 0.2]])       [(0, 1), (1, 0)]: both are whole, which the first best choice would miss
"""


def match_pairs(shares: list[list[float]]) -> list[tuple[int, int]]:
    """Pair rows with columns, each at most once: as many pairs of share 1 as there can be (Kuhn 1955), then by share."""
    owners: dict[int, int] = {}
    for row in range(len(shares)):
        _find_place(row, shares, owners, set())
    pairs = [(row, column) for column, row in owners.items()]
    rows, columns = {row for row, _ in pairs}, set(owners)
    rest = [(-share, row, column) for row, line in enumerate(shares) for column, share in enumerate(line)]
    for _, row, column in sorted(rest):
        if row not in rows and column not in columns:
            pairs.append((row, column))
            rows.add(row)
            columns.add(column)
    return sorted(pairs)


def _find_place(row: int, shares: list[list[float]], owners: dict[int, int], seen: set[int]) -> bool:
    for column, share in enumerate(shares[row]):
        if share == 1.0 and column not in seen:
            seen.add(column)
            if column not in owners or _find_place(owners[column], shares, owners, seen):
                owners[column] = row
                return True
    return False
