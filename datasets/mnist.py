"""MNIST, which comes with the package, and any other set in the same four files."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from pathlib import Path
from typing import TypeAlias

import numpy as np

from .idx import Array, IdxError, PathLike, as_path, read_array

Split: TypeAlias = tuple[Array, Array]

_DATA = Path(__file__).parent / "data"
_NAMES = (
    "train-images-idx3-ubyte",
    "train-labels-idx1-ubyte",
    "t10k-images-idx3-ubyte",
    "t10k-labels-idx1-ubyte",
)
# SHA-256 of the decompressed files, in the order of the names.
_DIGESTS = dict(
    zip(
        _NAMES,
        (
            "ba891046e6505d7aadcbbe25680a0738ad16aec93bde7f9b65e87a2fc25776db",
            "65a50cbbf4e906d70832878ad85ccda5333a97f0f4c3dd2ef09a8a9eef7101c5",
            "0fa7898d509279e482958e8ce81c8e77db3f2f8254e26661ceb7762c4d494ce7",
            "ff7bcfd416de33731a308c3f266cc351222c34898ecbeaf847f06e48f7ec33f2",
        ),
        strict=True,
    )
)


def load_mnist(normalize: bool = True, flatten: bool = True, one_hot_label: bool = False) -> tuple[Split, Split]:
    """MNIST: 60,000 handwritten digits to train on and 10,000 to test on, each 28 by 28 pixels.

    It comes with the package: nothing is downloaded, and every load is checked against the published SHA-256. The
    arrays are fresh each time; change them freely.

    Parameters
        normalize : bool, default True. Pixels in 0..1, divided by 255; otherwise 0..255 as stored. 0 is background.
        flatten : bool, default True. One row an image; otherwise channel, height and width apart.
        one_hot_label : bool, default False. Labels as rows with a single 1; otherwise as numbers.
    Shapes       (x_train, t_train), (x_test, t_test): x (N, 784) or (N, 1, 28, 28); t (N,) or (N, 10)
    Dtype        x float32, or uint8 where not normalized; t int64, or float32 where one-hot
    Errors       IdxError: a data file is damaged or was changed. FileNotFoundError: a data file is missing
    Source       Y. LeCun, C. Cortes & C. J. C. Burges, CC BY-SA 3.0; see data/NOTICE.md
    Example
        >>> (x_train, t_train), (x_test, t_test) = load_mnist()
        >>> x_train.shape, t_train[:5].tolist(), round(float(x_train.mean()), 4)
        ((60000, 784), [5, 0, 4, 1, 9], 0.1307)
    """
    try:
        return _load("load_mnist", _DATA, normalize, flatten, one_hot_label, _DIGESTS)
    except (IdxError, FileNotFoundError) as error:
        advice = "Reinstall brickgrad to mend it: pip install --force-reinstall --no-deps brickgrad"
        raise type(error)(f"{error} {advice}") from error


def load_idx(
    folder: PathLike, normalize: bool = True, flatten: bool = True, one_hot_label: bool = False
) -> tuple[Split, Split]:
    """A set in MNIST's four files, such as Fashion-MNIST or KMNIST, from a folder of your own.

    Parameters
        folder : str or Path. Holds train-images-idx3-ubyte, train-labels-idx1-ubyte, t10k-images-idx3-ubyte and
            t10k-labels-idx1-ubyte, each also with .gz behind, and also with a dot before idx. Where several of these
            are there, the raw file comes before the compressed one.
        normalize, flatten, one_hot_label : as in `load_mnist`.
    Shapes       (x_train, t_train), (x_test, t_test): x (N, H·W) or (N, 1, H, W); t (N,) or (N, largest label + 1),
                 the largest over both
    Dtype        x float32, or uint8 where not normalized; t int64, or float32 where one-hot
    Errors       FileNotFoundError, NotADirectoryError: no such folder, or a file is missing. IdxError: a file is
                 damaged, images are not (N, H, W) of uint8, labels not (N,) of uint8, or the files do not match
    Source       the format, and the names of the files, are MNIST's
    Example
        >>> import tempfile
        >>> from brickgrad.datasets import write_idx
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     for part in "train", "t10k":
        ...         write_idx(f"{folder}/{part}-images-idx3-ubyte.gz", np.full((2, 1, 3), 51, dtype=np.uint8))
        ...         write_idx(f"{folder}/{part}-labels-idx1-ubyte.gz", np.array([1, 0], dtype=np.uint8))
        ...     (x_train, t_train), _ = load_idx(folder, one_hot_label=True)
        >>> x_train[0], t_train[0]
        (array([0.2, 0.2, 0.2], dtype=float32), array([0., 1.], dtype=float32))
    """
    return _load("load_idx", as_path("load_idx", "folder", folder), normalize, flatten, one_hot_label, {})


def _load(
    who: str, folder: Path, normalize: bool, flatten: bool, one_hot_label: bool, digests: Mapping[str, str]
) -> tuple[Split, Split]:
    from concurrent.futures import ThreadPoolExecutor  # here, since logging comes with it and takes its time

    paths = [_find(who, folder, name) for name in _NAMES]
    with ThreadPoolExecutor(len(_NAMES)) as pool:
        arrays = list(pool.map(lambda name, path: _read(who, path, digests.get(name)), _NAMES, paths))
    for images, labels in (0, 1), (2, 3):
        _check_pair(who, paths[images], arrays[images], paths[labels], arrays[labels])
    x_train, t_train, x_test, t_test = arrays
    if x_train.shape[1:] != x_test.shape[1:]:
        raise IdxError(
            f"{who}: training and test images must be of one size; got {x_train.shape[1:]} in {paths[0]} and "
            f"{x_test.shape[1:]} in {paths[2]}."
        )
    n_classes = int(max(t_train.max(initial=0), t_test.max(initial=0))) + 1
    x_train, x_test = (_as_pixels(x, normalize, flatten) for x in (x_train, x_test))
    t_train, t_test = (_as_targets(t, one_hot_label, n_classes) for t in (t_train, t_test))
    return (x_train, t_train), (x_test, t_test)


def _find(who: str, folder: Path, name: str) -> Path:
    """The file called `name`, in whichever of its four spellings the folder has."""
    if not folder.exists():
        raise FileNotFoundError(f"{who}: there is no folder {folder}.")
    if not folder.is_dir():
        raise NotADirectoryError(f"{who}: folder must be a folder; {folder} is a file.")
    dotted = name.replace("-idx", ".idx")
    spellings = (name, dotted, f"{name}.gz", f"{dotted}.gz")
    for spelling in spellings:
        if (folder / spelling).exists():
            return folder / spelling
    held = sorted(entry.name for entry in folder.iterdir())
    listed = ", ".join(held[:20]) + (f" and {len(held) - 20} more" if len(held) > 20 else "")
    raise FileNotFoundError(f"{who}: looked in {folder} for {' or '.join(spellings)}; found {listed or 'nothing'}.")


def _read(who: str, path: Path, expected: str | None) -> Array:
    """The array in `path`, whose decompressed bytes must have the SHA-256 that is expected, if any."""
    if expected is None:
        return read_array(who, path)
    from concurrent.futures import ThreadPoolExecutor

    digest = hashlib.sha256()
    # One thread hashes a chunk while this one decompresses the next; neither holds the interpreter's lock.
    with ThreadPoolExecutor(1) as hasher:
        array = read_array(who, path, tee=lambda chunk: hasher.submit(digest.update, chunk))
    if digest.hexdigest() != expected:
        raise IdxError(f"{who}: {path} must have SHA-256 {expected}; it has {digest.hexdigest()}.")
    return array


def _check_pair(who: str, x_path: Path, x: Array, t_path: Path, t: Array) -> None:
    if x.ndim != 3 or x.dtype != np.uint8:
        raise IdxError(f"{who}: {x_path} must hold images, (N, H, W) of uint8; it holds {x.shape} of {x.dtype}.")
    if t.ndim != 1 or t.dtype != np.uint8:
        raise IdxError(f"{who}: {t_path} must hold labels, (N,) of uint8; it holds {t.shape} of {t.dtype}.")
    if len(x) != len(t):
        raise IdxError(
            f"{who}: {t_path} must hold a label for each of the {len(x)} images of {x_path}; it holds {len(t)}."
        )


def _as_pixels(x: Array, normalize: bool, flatten: bool) -> Array:
    n, height, width = x.shape
    x = x.reshape((n, height * width) if flatten else (n, 1, height, width))
    if normalize:
        x = x.astype(np.float32)
        x /= 255  # in place: several times as fast as np.divide with a dtype
    return x


def _as_targets(t: Array, one_hot: bool, n_classes: int) -> Array:
    return np.eye(n_classes, dtype=np.float32)[t] if one_hot else t.astype(np.int64)
