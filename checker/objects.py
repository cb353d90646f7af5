"""Any object with forward and backward, as the field's books write them, checked as a layer is."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from typing import Any

import numpy as np

from brickgrad.layers import Array

from .places import copy_of, get, in_precision, objects_in, places_of, put
from .randomness import Dice
from .results import several
from .subject import Block, Subject


class ObjectSubject(Subject):
    """An object of no class of ours. Its parameters are looked for where people put them.

    In `params` and `grads`, two dicts or two lists; else in pairs of attributes such as W and dW, of which the first is
    there before forward and the second after backward; of the object, and of the objects that it holds.
    """

    def __init__(self, thing: Any, inputs: Sequence[Array]) -> None:
        super().__init__(inputs)
        self.title = getattr(thing, "title", None) or type(thing).__name__
        self.thing = in_precision(copy_of(thing, "gradcheck"), np.dtype(np.float64))
        self.dice = Dice([held for _, held in objects_in(self.thing)])
        self.names = _input_names(thing)
        self.places = [place for place in places_of(self.thing, self._after_a_run()) if place.gradients is not None]
        self.blocks = [Block(place.name, False, place.array) for place in self.places]
        self.add_input_blocks()

    def _after_a_run(self) -> Any:
        """A copy on which forward and backward have run, as far as they do: the gradients' attributes are there."""
        ran = copy.deepcopy(self.thing)
        try:
            outputs = several(ran.forward(*self._as_handed([x.copy() for x in self.inputs])))
            ran.backward(*[np.ones_like(np.asarray(y, np.float64))[()] for y in outputs])
        except Exception:  # the check itself will meet it, and say so
            pass
        return ran

    def unchecked(self) -> list[str]:
        """The float arrays that forward depends on and that have no gradient anywhere."""
        claimed = {id(place.array) for place in self.places}
        places = places_of(self.thing, self.thing)[:64]  # before any forward: what that keeps is no parameter
        base, found = self.forward(), []
        for place in places:
            array = place.array
            if id(array) in claimed or not array.size or place.gradients is not None:
                continue
            own = array.copy()
            array[...] = 1.01 * own + 0.01
            try:
                if not np.array_equal(self.forward(), base, equal_nan=True):
                    found.append(place.name)
            except Exception:  # it does depend on it
                found.append(place.name)
            finally:
                array[...] = own
        return found

    def _as_handed(self, inputs: list[Array]) -> list[Any]:
        return [x if x.ndim else x[()] for x in inputs]

    def run(self, inputs: list[Array]) -> Any:
        """Call forward, on arrays; on numbers where they are single."""
        return self.thing.forward(*self._as_handed(inputs))

    def run_back(self, d_outputs: Sequence[Any]) -> Any:
        """Call backward."""
        return self.thing.backward(*d_outputs)

    def param_gradients(self) -> dict[str, Any]:
        """The parameters' gradients after backward."""
        return {place.name: get(*place.gradients) for place in self.places if place.gradients is not None}

    def put_back(self) -> None:
        """Put the parameters' own arrays back where a run, an update of the weights say, has set others."""
        for place, block in zip(self.places, self.blocks, strict=False):
            if place.array is not block.array:
                self.replaced.add(block.name)
                put(place.owner, place.key, block.array)


def _input_names(thing: Any) -> tuple[str, ...]:
    code = getattr(getattr(type(thing), "forward", None), "__code__", None)
    return tuple(code.co_varnames[1 : code.co_argcount]) if code is not None else ()
