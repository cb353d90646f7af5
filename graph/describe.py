"""Graphs as plain values that JSON can hold, and back: which layers there are and how they are joined, no weights.

    {"version": 1, "kind": "Graph", "layers": [...], "graph": 3}

`layers` lists each layer once, a graph after those in it; "graph" says which is meant. A layer has its kind, name,
arguments and whether it is trainable. A graph numbers its values, inputs first, then constants, then what the steps
give in their order; a step names a layer, and the values that it reads.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from brickgrad.layers import Layer
from brickgrad.layers.initial import make_rng

from .graph import Graph
from .limits import MOST_LAYERS, Size, listed
from .node import Call, Constant, Input, Node
from .plain import brief, dtype_of, from_plain, name_of, shape_of, to_plain, whole
from .registry import build_layer, describe_layer
from .wiring import check_full_names

VERSION = 1
Plain = dict[str, Any]


def graph_to_dict(graph: Graph) -> Plain:
    """See Graph.to_dict."""
    writer = Writer(graph.title)
    return {"version": VERSION, "kind": "Graph", "layers": writer.layers, "graph": writer.add(graph)}


def graph_from_dict(description: Any, rng: Any, max_params: int) -> Graph:
    """See Graph.from_dict."""
    reader = Reader("Graph.from_dict", description, {"graph"}, rng, max_params)
    if reader.kind != "Graph":
        raise ValueError(f"Graph.from_dict: kind must be 'Graph'; got {brief(reader.kind)}. Nets have Net.from_dict.")
    (graph,) = reader.finish(reader.graph("graph"))
    return graph


class Writer:
    """Lists layers, each once; `add` gives its place in the list."""

    def __init__(self, owner: str) -> None:
        self.owner = owner
        self.layers: list[Plain] = []
        self._places: dict[int, int] = {}
        self._size = Size()

    def add(self, layer: Layer) -> int:
        """Describe a layer, or a graph and all that is in it."""
        if id(layer) not in self._places:
            what = f"{self.owner}.to_dict: {layer.title}"
            if isinstance(layer, Graph):
                inner = [(self.add(step.layer), len(step.reads)) for step in layer.wiring.steps]
                self._size.add_graph(what, inner)
                entry = self._graph(layer, [place for place, _ in inner])
            else:
                self._size.add_layer(what, layer)
                entry = describe_layer(layer)
            self._places[id(layer)] = len(self.layers)
            self.layers.append(entry)
        return self._places[id(layer)]

    def _graph(self, graph: Graph, places: list[int]) -> Plain:
        if type(graph) is not Graph:
            raise TypeError(f"{graph.title}: is of a class of its own, which cannot be described; a Graph can.")
        wiring = graph.wiring
        constants = sorted(wiring.constants)
        slots = [*wiring.inputs, *constants, *(slot for step in wiring.steps for slot in step.writes)]
        numbers = {slot: number for number, slot in enumerate(slots)}
        return {
            "layer": "Graph",
            "name": name_of("Graph: its name", graph.name),
            "keep": graph.keep,
            "inputs": [
                {
                    "name": name_of("Input: its name", x.name),
                    "shape": None if x.shape is None else [int(size) for size in x.shape],
                    "dtype": to_plain(f"{x.title}: its dtype", x.dtype),
                    "grad": bool(x.grad),
                }
                for x in graph.inputs
            ],
            "constants": [to_plain(f"{graph.title}: a constant", wiring.constants[slot]) for slot in constants],
            "steps": [
                {"layer": place, "name": step.name, "reads": [numbers[slot] for slot in step.reads]}
                for place, step in zip(places, wiring.steps, strict=True)
            ],
            "outputs": [numbers[slot] for slot in wiring.outputs] if graph._many else numbers[wiring.outputs[0]],
        }


class Reader:
    """Makes the layers of a description, which need not be trusted: all is checked, and no layer runs.

    So the shapes of values, which are found by running, are found when they are first asked for.
    """

    def __init__(self, owner: str, description: Any, more: set[str], rng: Any, max_params: int) -> None:
        self.owner = owner
        whole(f"{owner}: max_params", max_params)
        version = description.get("version") if isinstance(description, Mapping) else None
        if type(version) is int and version > VERSION:
            raise ValueError(f"{owner}: version must be {VERSION}; got {version}: a newer brickgrad wrote it.")
        keys = {"version", "kind", "layers", *more}
        if type(description) is not dict or type(version) is not int or version != VERSION:
            raise ValueError(f"{owner}: takes a dict as to_dict gives, of version {VERSION}; got {brief(description)}.")
        if description.keys() != keys:
            raise ValueError(
                f"{owner}: must have {', '.join(sorted(keys))}; got {brief(', '.join(map(str, description)))}."
            )
        self.description, self.kind = description, description["kind"]
        self._rng, self._room = make_rng(owner, rng), max_params
        self._layers: list[Layer] = []
        self._used: set[int] = set()
        self._size = Size()
        self._names: dict[int, list[tuple[Layer, str]]] = {}
        self._shapes: list[tuple[Input, tuple[int, ...] | None]] = []
        for place, entry in enumerate(listed(f"{owner}: layers", description["layers"], MOST_LAYERS)):
            self._add(f"{owner}: layers[{place}]", entry)

    def layer(self, key: str) -> Layer:
        """The layer that a part of the description names by its place."""
        place = whole(f"{self.owner}: {key}", self.description[key], 0, len(self._layers) - 1)
        self._used.add(place)
        return self._layers[place]

    def graph(self, key: str) -> Graph:
        """The graph that a part of the description names by its place."""
        found = self.layer(key)
        if not isinstance(found, Graph):
            raise ValueError(f"{self.owner}: {key} must be the place of a graph; got that of {found.title}.")
        return found

    def finish(self, graph: Graph, *others: Graph) -> tuple[Graph, ...]:
        """Give the inputs their shapes, and the steps of graphs on the same layers their names."""
        if len(self._used) < len(self._layers):
            spare = min(set(range(len(self._layers))) - self._used)
            raise ValueError(f"{self.owner}: layers[{spare}] must stand in a graph; it stands in none.")
        for x, shape in self._shapes:
            x.shape = shape
        for part in (*(layer for layer in self._layers if isinstance(layer, Graph)), *others):
            part.__dict__.pop("shapes", None)
        for other in others:
            self._rename(self.owner, other, self._names[id(graph)])
        return graph, *others

    def _add(self, what: str, entry: Any) -> None:
        if type(entry) is not dict:
            raise ValueError(f"{what} must be a dict that describes a layer; got {brief(entry)}.")
        if entry.get("layer") == "Graph":
            self._layers.append(self._graph(what, entry))
            return
        layer = build_layer(what, entry, self._rng, self._room)
        self._room -= sum(param.size for param in layer.params.values())
        if self._room < 0:
            raise ValueError(f"{what}: all parameters must have at most max_params numbers; got {-self._room:,} more.")
        self._size.add_layer(what, layer)
        self._layers.append(layer)

    def _graph(self, what: str, entry: Plain) -> Graph:
        keys = {"layer", "name", "keep", "inputs", "constants", "steps", "outputs"}
        if entry.keys() != keys:
            raise ValueError(f"{what} must have {', '.join(sorted(keys))}; got {brief(', '.join(map(str, entry)))}.")
        name, keep = name_of(f"{what}: name", entry["name"]), entry["keep"]
        if type(keep) is not bool:
            raise ValueError(f"{what}: keep must be true or false; got {brief(keep)}.")
        inputs = [
            self._input(f"{what}: inputs[{n}]", x) for n, x in enumerate(listed(f"{what}: inputs", entry["inputs"]))
        ]
        nodes: list[Node] = [*inputs]
        for number, value in enumerate(listed(f"{what}: constants", entry["constants"])):
            nodes.append(self._constant(f"{what}: constants[{number}]", value))
        steps = listed(f"{what}: steps", entry["steps"])
        for number, step in enumerate(steps):
            where = f"{what}: steps[{number}]"
            if type(step) is not dict or step.keys() != {"layer", "name", "reads"}:
                raise ValueError(f"{where} must have layer, name and reads; got {brief(step)}.")
            whole(f"{where}: layer", step["layer"], 0, len(self._layers) - 1)
            for value in listed(f"{where}: reads", step["reads"]):
                whole(f"{where}: reads", value)
        unread = set(range(len(inputs), len(nodes))).difference(*(step["reads"] for step in steps))
        if unread:
            raise ValueError(f"{what}: constants[{min(unread) - len(inputs)}] must be read by a step; none does.")
        self._size.add_graph(what, [(step["layer"], len(step["reads"])) for step in steps])
        calls = []
        for number, step in enumerate(steps):
            self._used.add(step["layer"])
            calls.append(self._call(f"{what}: steps[{number}]", self._layers[step["layer"]], step["reads"], nodes))
            nodes += calls[-1].outputs
        many = type(entry["outputs"]) is list
        outputs = _nodes(f"{what}: outputs", entry["outputs"] if many else [entry["outputs"]], nodes)
        try:
            graph = Graph(inputs, outputs if many else outputs[0], keep=keep, allow_unused=True, name=name)
        except (TypeError, ValueError) as error:
            raise ValueError(f"{what}: {error}") from error
        if len(graph.wiring.steps) != len(steps):
            raise ValueError(
                f"{what}: each of its steps must lead to an output; got {len(steps)} steps, of which "
                f"{len(graph.wiring.steps)} do."
            )
        names = [(call.layer, step["name"]) for call, step in zip(calls, steps, strict=True)]
        self._names[id(graph)] = names
        self._rename(what, graph, names)
        return graph

    def _call(self, what: str, layer: Layer, reads: list[Any], nodes: list[Node]) -> Call:
        found = _nodes(f"{what}: reads", reads, nodes)
        if all(isinstance(node, Constant) for node in found):  # else it would run as the graph is made
            raise ValueError(f"{what}: reads must have a value that is no constant; got {brief(reads)}.")
        try:
            return Call(layer, found, what.rpartition(": ")[2])
        except TypeError as error:
            raise ValueError(f"{what}: {error}") from None

    def _input(self, what: str, entry: Any) -> Input:
        """An Input, which gets its shape at the end."""
        if type(entry) is not dict or entry.keys() != {"name", "shape", "dtype", "grad"}:
            raise ValueError(f"{what} must have name, shape, dtype and grad; got {brief(entry)}.")
        if type(entry["grad"]) is not bool:
            raise ValueError(f"{what}: grad must be true or false; got {brief(entry['grad'])}.")
        shape = None if entry["shape"] is None else shape_of(f"{what}: shape", entry["shape"])
        name = name_of(f"{what}: name", entry["name"], or_none=False)
        try:
            x = Input(str(name), None, dtype_of(f"{what}: dtype", entry["dtype"]), entry["grad"])
        except TypeError as error:
            raise ValueError(f"{what}: {error}") from None
        self._shapes.append((x, shape))
        return x

    def _constant(self, what: str, value: Any) -> Constant:
        try:
            return Constant(from_plain(what, value))
        except TypeError as error:
            raise ValueError(f"{what}: {error}") from None

    def _rename(self, what: str, graph: Graph, names: list[tuple[Layer, str]]) -> None:
        """Give the steps the names that they had; those of a part of a graph are not what the wiring would give."""
        given: dict[int, str] = {}
        for layer, name in names:
            name_of(f"{what}: the name of a step", name, or_none=False)
            if given.setdefault(id(layer), name) != name:
                raise ValueError(f"{what}: each layer must have one name; {layer.title} has {brief(name)} too.")
        for step in graph.wiring.steps:
            step.name = given.get(id(step.layer), step.name)
        check_full_names(f"{what}: {graph.title}", graph.wiring.steps)


def _nodes(what: str, numbers: Any, nodes: list[Node]) -> list[Node]:
    most = len(nodes) - 1
    return [nodes[whole(what, number, 0, most)] for number in listed(what, numbers)]
