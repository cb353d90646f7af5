"""Where a layer's arrays live: its parameters and gradients by name, and what it remembers of a run."""

from __future__ import annotations

import copy
import weakref
from typing import Any, Self

import numpy as np

Array = np.ndarray[Any, np.dtype[Any]]
Spec = tuple[tuple[int, ...], np.dtype[Any]]


class Memory:
    """What one use of a layer remembers.

    A layer on its own has one; a graph hands the layer one for each node it stands at, so a layer used twice never
    mixes its two uses up. `arrays` is None unless a workspace is active: then it holds the buffers that are used again
    from step to step. `wanted` says which inputs need a gradient (None: all). `may_overwrite` says that nobody else
    reads the array that the layer was handed last, the input or its output's gradient; `forgets`, that no backward and
    no replay will follow, so that what serves only them need not be made.
    """

    __slots__ = ("arrays", "branch", "forgets", "inputs", "may_overwrite", "outputs", "running", "saved", "wanted")

    def __init__(self, wanted: tuple[bool, ...] | None = None, arrays: dict[str, Any] | None = None) -> None:
        self.saved: Any = None
        self.branch: Any = None
        self.inputs: list[Spec] = []
        self.outputs: list[Spec] | None = None
        self.running = False
        self.may_overwrite = self.forgets = False
        self.wanted = wanted
        self.arrays = arrays


class ArrayDict(dict[str, Array]):
    """A layer's arrays by name. An entry, once there, keeps its place in memory: assigning to it writes into it.

    So a net can hold all parameters in one vector while layers and users write `params["W"] = ...` as ever.
    """

    _owner: Any = None  # a weak reference: a strong one would keep all that a layer holds until cycles are collected
    _owner_kind = "Layer"
    _kind = ""
    _like: ArrayDict | None = None
    _closed = False
    _vector: Array | None = None
    _n_in_vector = 0
    moves = 0  # how often an entry of any layer was moved: where it has not grown, views that held still hold

    def __init__(self, owner: Any, kind: str, like: ArrayDict | None = None) -> None:
        super().__init__()
        self._owner, self._owner_kind = weakref.ref(owner), type(owner).__name__
        self._kind, self._like = kind, like

    @property
    def _title(self) -> str:
        """The entries as errors name them: `Affine[hidden].params`."""
        owner = self._find_owner()
        return f"{self._owner_kind if owner is None else owner.title}.{self._kind}"

    def _find_owner(self) -> Any:
        return None if self._owner is None else self._owner()

    def __setitem__(self, key: str, value: Any) -> None:
        models = self if self._closed else self._like
        model = self.get(key, models.get(key) if models is not None else None)
        if models is not None and model is None:
            known = ", ".join(models) or "none"
            raise ValueError(f"{self._title}[{key!r}]: there is no such parameter; there are: {known}.")
        if model is not None and np.shape(value) != model.shape:
            raise ValueError(f"{self._title}[{key!r}]: must be {model.shape}, as it was made; got {np.shape(value)}.")
        if key in self:
            self[key][...] = value
            return
        array = np.array(value, dtype=None if model is None else model.dtype)
        if array.dtype.kind != "f":
            raise TypeError(f"{self._title}[{key!r}]: must hold floats; got {array.dtype}.")
        super().__setitem__(key, array)

    @classmethod
    def gather(cls, owner: Any, kind: str, arrays: dict[str, Array], vector: Array | None = None) -> ArrayDict:
        """The arrays themselves, no copies, under these names, and no others to come; with the vector they fill."""
        gathered = cls(owner, kind)
        dict.update(gathered, arrays)
        gathered._vector, gathered._n_in_vector = vector, len(gathered)
        return gathered.close()

    @property
    def vector(self) -> Array | None:
        """The vector that the entries fill, one behind the other; None where there is none."""
        return self._vector if len(self) == self._n_in_vector else None

    def close(self) -> ArrayDict:
        """Take no further keys from now on."""
        self._closed = True
        return self

    def __deepcopy__(self, memo: dict[int, Any]) -> ArrayDict:
        twin = memo[id(self)] = ArrayDict.__new__(ArrayDict)
        for key, array in self.items():
            dict.__setitem__(twin, key, copy.deepcopy(array, memo))
        twin.__setstate__(tuple(copy.deepcopy(part, memo) for part in self.__getstate__()))
        return twin

    def __getstate__(self) -> tuple[Any, ...]:
        return self._find_owner(), self._owner_kind, self._kind, self._like, self._closed

    def __setstate__(self, state: tuple[Any, ...]) -> None:
        owner, self._owner_kind, self._kind, self._like, self._closed = state
        self._owner = None if owner is None else weakref.ref(owner)

    def update(self, *others: Any, **named: Any) -> None:
        """Assign to each entry."""
        for key, value in dict(*others, **named).items():
            self[key] = value

    def __ior__(self, other: Any) -> Self:  # type: ignore[override, misc]  # dict's own has overloads that ours covers
        self.update(other)
        return self

    def setdefault(self, key: str, default: Any = None) -> Array:
        """The entry; made from `default` where there is none."""
        if key not in self:
            self[key] = default
        return self[key]

    def rebind(self, key: str, array: Array) -> None:
        """Move the entry into `array`, which takes its values: how a net lays its parameters side by side."""
        array[...] = self[key]
        super().__setitem__(key, array)
        ArrayDict.moves += 1
