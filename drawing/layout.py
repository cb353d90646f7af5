"""Where blocks go: a layered layout, every edge running onward from rank to rank, with few crossings.

It knows nothing of graphs of layers: only blocks with sizes, and edges between their ports. `along` is the direction in
which edges run, `across` the other one; which of them is to the right is for the drawing to say.

Source: Sugiyama, Tagawa & Toda (1981) for ranks, crossings by barycentres and places; the places of one rank are a
least-squares fit that keeps the order, solved by pooling neighbours that would overlap.
"""

from __future__ import annotations

from dataclasses import dataclass, field

GAP = 40.0  # between two ranks: where edges bend
SEPARATION = 18.0  # between two blocks of one rank
LANE = 12.0  # what an edge takes up where it passes a rank
SWEEPS = 12


@dataclass
class Block:
    """A rectangle to be placed; its ports are distances across from its start."""

    length: float
    breadth: float
    in_ports: list[float] = field(default_factory=list)
    out_ports: list[float] = field(default_factory=list)
    along: float = 0.0
    across: float = 0.0


@dataclass(frozen=True)
class Edge:
    """From an output port of one block to an input port of another, by their numbers."""

    source: int
    out_port: int
    target: int
    in_port: int


@dataclass
class Placed:
    """The blocks, now placed; a line through points (along, across) for each edge; and the size of it all."""

    blocks: list[Block]
    lines: list[list[tuple[float, float]]]
    length: float
    breadth: float


def place(blocks: list[Block], edges: list[Edge]) -> Placed:
    """Place the blocks, which it changes, and draw a line for each edge."""
    ranks_of = _ranks(len(blocks), edges)
    lanes = _Lanes(blocks, edges, ranks_of)
    _order(lanes)
    _settle(lanes)
    _along(lanes)
    return _placed(lanes, len(blocks))


def _ranks(n: int, edges: list[Edge]) -> list[int]:
    """The rank of each block: after all that feed it; what nothing feeds stands right before what it feeds."""
    feeds: list[list[int]] = [[] for _ in range(n)]
    waits = [0] * n
    for edge in edges:
        feeds[edge.source].append(edge.target)
        waits[edge.target] += 1
    sources = [block for block in range(n) if not waits[block]]
    ranks = [0] * n
    ready = list(sources)
    while ready:
        block = ready.pop()
        for target in feeds[block]:
            ranks[target] = max(ranks[target], ranks[block] + 1)
            waits[target] -= 1
            if not waits[target]:
                ready.append(target)
    for block in sources:
        if feeds[block]:
            ranks[block] = min(ranks[target] for target in feeds[block]) - 1
    return ranks


class _Lanes:
    """The blocks rank by rank, and a thin block in every rank that an edge passes, so that it has a lane of its own."""

    def __init__(self, blocks: list[Block], edges: list[Edge], ranks_of: list[int]) -> None:
        self.blocks = list(blocks)
        self.ranks: list[list[int]] = [[] for _ in range(max(ranks_of, default=0) + 1)]
        for block, rank in enumerate(ranks_of):
            self.ranks[rank].append(block)
        self.links: list[Edge] = []  # each from one rank to the next
        self.chains: list[list[Edge]] = []  # the links of each edge
        for edge in edges:
            self.chains.append(self._chain(edge, ranks_of))
        self.before: list[list[Edge]] = [[] for _ in self.blocks]
        self.after: list[list[Edge]] = [[] for _ in self.blocks]
        for link in self.links:
            self.before[link.target].append(link)
            self.after[link.source].append(link)

    def _chain(self, edge: Edge, ranks_of: list[int]) -> list[Edge]:
        chain, at, port = [], edge.source, edge.out_port
        for rank in range(ranks_of[edge.source] + 1, ranks_of[edge.target]):
            lane = len(self.blocks)
            self.blocks.append(Block(0.0, LANE, [LANE / 2], [LANE / 2]))
            self.ranks[rank].append(lane)
            chain.append(Edge(at, port, lane, 0))
            at, port = lane, 0
        chain.append(Edge(at, port, edge.target, edge.in_port))
        self.links += chain
        return chain

    def pull(self, block: int, back: bool, forth: bool) -> float | None:
        """Where the neighbours on these sides would have a block, so that its lines are straight; None if it has none.

        A neighbour's say is the larger the fewer others it has: a long straight line is worth more than one of many.
        """
        wishes, weights = 0.0, 0.0
        own = self.blocks[block]
        for link in self.before[block] if back else []:
            other = self.blocks[link.source]
            weight = 1 / len(self.after[link.source])
            wishes += weight * (other.across + other.out_ports[link.out_port] - own.in_ports[link.in_port])
            weights += weight
        for link in self.after[block] if forth else []:
            other = self.blocks[link.target]
            weight = 1 / len(self.before[link.target])
            wishes += weight * (other.across + other.in_ports[link.in_port] - own.out_ports[link.out_port])
            weights += weight
        return wishes / weights if weights else None

    def wish(self, block: int, back: bool, forth: bool) -> float:
        """Where the neighbours would have a block; where it stands if it has none."""
        pulled = self.pull(block, back, forth)
        return self.blocks[block].across if pulled is None else pulled


def _order(lanes: _Lanes) -> None:
    """Order every rank so that few edges cross: each block to the mean place of its neighbours, there and back."""
    _stack(lanes)
    best, fewest = [list(rank) for rank in lanes.ranks], _crossings(lanes)
    for sweep in range(SWEEPS):
        if not fewest:
            break
        onward = sweep % 2 == 0
        for rank in lanes.ranks if onward else reversed(lanes.ranks):
            wish = {block: lanes.wish(block, back=onward, forth=not onward) for block in rank}
            rank.sort(key=wish.__getitem__)
            _stack_rank(lanes, rank)
        found = _crossings(lanes)
        if found < fewest:
            best, fewest = [list(rank) for rank in lanes.ranks], found
    lanes.ranks = best
    _stack(lanes)


def _stack(lanes: _Lanes) -> None:
    for rank in lanes.ranks:
        _stack_rank(lanes, rank)


def _stack_rank(lanes: _Lanes, rank: list[int]) -> None:
    """Put the blocks of a rank one after another, around 0."""
    whole = sum(lanes.blocks[block].breadth + SEPARATION for block in rank) - SEPARATION
    at = -whole / 2
    for block in rank:
        lanes.blocks[block].across = at
        at += lanes.blocks[block].breadth + SEPARATION


def _crossings(lanes: _Lanes) -> int:
    """How many pairs of links cross."""
    count = 0
    for rank in lanes.ranks:
        ends = [
            (
                lanes.blocks[link.source].across + lanes.blocks[link.source].out_ports[link.out_port],
                lanes.blocks[link.target].across + lanes.blocks[link.target].in_ports[link.in_port],
            )
            for block in rank
            for link in lanes.after[block]
        ]
        ends.sort()
        for index, (start, end) in enumerate(ends):
            count += sum(1 for other, finish in ends[index + 1 :] if other > start and finish < end)
    return count


def _settle(lanes: _Lanes) -> None:
    """Move the blocks across so that lines become straight, their order kept."""
    for sweep in range(SWEEPS + 1):  # the last one goes onward, so that chains are straight from their start
        onward = sweep % 2 == 0
        for rank in lanes.ranks if onward else reversed(lanes.ranks):
            wishes = [lanes.pull(block, back=onward, forth=not onward) for block in rank]
            sizes = [lanes.blocks[block].breadth + SEPARATION for block in rank]
            here = [lanes.blocks[block].across for block in rank]
            wanted = [at if wish is None else wish for wish, at in zip(wishes, here, strict=True)]
            weights = [0.05 if wish is None else 1.0 for wish in wishes]
            for block, across in zip(rank, in_order(wanted, weights, sizes), strict=True):
                lanes.blocks[block].across = across
    first = min((placed.across for placed in lanes.blocks), default=0.0)
    for placed in lanes.blocks:
        placed.across -= first


def in_order(wanted: list[float], weights: list[float], sizes: list[float]) -> list[float]:
    """Places as near to the wanted ones as can be, each at least its forerunner's size behind it.

    >>> in_order([0.0, 1.0], [1.0, 1.0], [10.0, 10.0])
    [-4.5, 5.5]
    """
    starts = [sum(sizes[:index]) for index in range(len(sizes))]
    pools: list[tuple[float, float, int]] = []  # mean wish, weight, how many
    for wish, weight, start in zip(wanted, weights, starts, strict=True):
        mean, total, count = wish - start, weight, 1
        while pools and pools[-1][0] > mean:
            other, heavy, many = pools.pop()
            mean = (mean * total + other * heavy) / (total + heavy)
            total, count = total + heavy, count + many
        pools.append((mean, total, count))
    shifts = [mean for mean, _, count in pools for _ in range(count)]
    return [shift + start for shift, start in zip(shifts, starts, strict=True)]


def _along(lanes: _Lanes) -> None:
    """Put the ranks one behind the other, with a gap for the edges to bend in."""
    at = 0.0
    for rank in lanes.ranks:
        length = max((lanes.blocks[block].length for block in rank), default=0.0)
        for block in rank:
            lanes.blocks[block].along = at
            if lanes.blocks[block].length == 0:  # a lane runs through the whole rank
                lanes.blocks[block].length = length
        at += length + GAP


def _placed(lanes: _Lanes, n: int) -> Placed:
    lines = []
    for chain in lanes.chains:
        points = []
        for link in chain:
            source, target = lanes.blocks[link.source], lanes.blocks[link.target]
            points.append((source.along + source.length, source.across + source.out_ports[link.out_port]))
            points.append((target.along, target.across + target.in_ports[link.in_port]))
        lines.append(points)
    blocks = lanes.blocks[:n]
    length = max((block.along + block.length for block in blocks), default=0.0)
    breadth = max((block.across + block.breadth for block in lanes.blocks), default=0.0)
    return Placed(blocks, lines, length, breadth)
