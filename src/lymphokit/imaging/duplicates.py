"""The same photograph twice among thousands: by hash first, then by pixels.

Two images are compared as eight are: as they are, mirrored, upside down, turned by quarters.
Caught on 300 images of the competition, all of them: JPEG quality 10, shrinking to 64 of 224
pixels, brightness times 0.7 or plus 40, gamma 0.6 to 1.6, blur of 4 pixels, noise of 15 levels,
colour casts and swapped colours, shifts of 2 pixels, rims of 4 pixels cut off, rotations by 2
degrees. Not caught: shifts of 4 pixels or more (one in seven is), rims of 8 pixels, rotations by
5 degrees, negatives, other cuts of the same field. Among its 20 million pairs of different
images none is likelier than 0.79 at 10 bits or fewer.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import cv2
import numpy as np
import pandas as pd
from numpy.typing import NDArray

from lymphokit.imaging.segment import Pixels
from lymphokit.progress import track

MOST_BITS = 10  # of 63 in which the hashes of one photograph may differ
LEAST_LIKENESS = 0.9  # correlation of two views, whatever their brightness and contrast
TURNS = (
    *("as it is", "mirrored", "upside down", "turned by half"),
    *("transposed", "turned right", "turned left", "transposed and turned by half"),
)
COLUMNS = ("first", "second", "bits", "likeness", "turn", "identical")
_SIDE, _LOW = 32, 8  # pixels of a view; frequencies of its hash, a side
_FLAT = 1e-3  # a frequency weaker than this is rounding, not picture
_CANDIDATE = ["first", "second", "bits", "turn"]
_ROWS, _COLUMNS = 64, 4096  # hashes compared at once: what a core keeps near

Views = NDArray[np.uint8]
Hashes = NDArray[np.uint64]
Cells = NDArray[np.int64]
Bits = NDArray[np.bool_]


@dataclass(frozen=True)
class Duplicates:
    """What a search found.

    pairs: a row a pair with the columns of COLUMNS: cells `first` < `second`, `bits` in which
    their hashes differ, `likeness` up to 1, the `turn` of the second that shows the first, and
    whether their pixels are then `identical`. n_candidates: pairs whose pixels were compared.
    """

    pairs: pd.DataFrame
    n_images: int
    n_candidates: int


def find_duplicates(bank: NDArray[np.uint8]) -> Duplicates:
    """Find all pairs of images that are the same, or nearly, in a bank of pixels.

    bank (n, side, side, 3) RGB uint8, which may be mapped: it is read once and in order, and
    1 kB of each image is kept. All pairs of hashes are compared: some seconds for 16,000 images.
    Departs: the report does not look for duplicates. Hash: signs of the lowest frequencies of the
    cosine transform, so that turning an image permutes and flips bits.
    """
    views = views_of(track(bank, "views of images", len(bank)), len(bank))
    found, n_candidates = [], 0
    for candidates in _candidates(hashes_of(views)):
        n_candidates += candidates.groupby(["first", "second"]).ngroups
        found.append(_alike(views, candidates))
    pairs = pd.concat(found, ignore_index=True).sort_values(["first", "second"], ignore_index=True)
    identical = [
        np.array_equal(bank[first], turned(bank[second][None], turn)[0])
        for first, second, turn in pairs[["first", "second", "turn"]].to_numpy(np.int64)
    ]
    pairs = pairs.assign(identical=identical, turn=[TURNS[turn] for turn in pairs["turn"]])
    return Duplicates(pairs[list(COLUMNS)], len(bank), n_candidates)


def views_of(images: Iterable[Pixels], n: int) -> Views:
    """Each image in grey at 32 x 32: (h, w, 3) RGB uint8, n of them -> (n, 32, 32) uint8."""
    views = np.empty((n, _SIDE, _SIDE), np.uint8)
    for place, image in enumerate(images):
        grey = cv2.cvtColor(np.asarray(image), cv2.COLOR_RGB2GRAY)
        views[place] = cv2.resize(grey, (_SIDE, _SIDE), interpolation=cv2.INTER_AREA)
    return views


def hashes_of(views: Views) -> Hashes:
    """The hash of every view in each of the eight turns: (n, 32, 32) -> (8, n) uint64."""
    low = np.stack([cv2.dct(view.astype(np.float32))[:_LOW, :_LOW] for view in views])
    signs = low > _FLAT
    signs[:, 0, 0] = False  # the mean: brightness is no picture
    odd = np.arange(_LOW) % 2 == 1  # frequencies that change their sign in a mirror
    turns = []
    for turn in range(len(TURNS)):
        transposed, upside_down, mirrored = _parts(turn)
        bits = signs.transpose(0, 2, 1) if transposed else signs
        flipped = (upside_down & odd)[:, None] ^ (mirrored & odd)[None, :]
        turns.append(_packed(bits ^ flipped))
    return np.stack(turns)


def turned(images: NDArray[np.uint8], turn: int) -> NDArray[np.uint8]:
    """Images (n, side, side, ...) in one of the TURNS; a view of the same memory."""
    transposed, upside_down, mirrored = _parts(turn)
    if transposed:
        images = images.swapaxes(1, 2)
    if upside_down:
        images = images[:, ::-1]
    return images[:, :, ::-1] if mirrored else images


def _parts(turn: int) -> tuple[bool, bool, bool]:
    """What a turn is made of: transposed first, then upside down, then mirrored."""
    return bool(turn & 4), bool(turn & 2), bool(turn & 1)


def _packed(bits: Bits) -> Hashes:
    """Eight by eight bits as one number: (n, 8, 8) -> (n,) uint64."""
    packed = np.packbits(bits.reshape(len(bits), _LOW * _LOW), axis=1)
    return np.ascontiguousarray(packed).view(np.uint64)[:, 0]


def _candidates(hashes: Hashes) -> Iterator[pd.DataFrame]:
    """Pairs `first, second, bits, turn` whose hashes differ in few bits, row block after block."""
    n = hashes.shape[1]
    for top in track(range(0, n, _ROWS), "pairs of images"):
        rows = hashes[0, top : top + _ROWS]
        near = [
            _near(rows, hashes[:, left : left + _COLUMNS]) + np.array([[top], [left], [0], [0]])
            for left in range(top, n, _COLUMNS)
        ]
        table = pd.DataFrame(np.concatenate(near, axis=1).T, columns=_CANDIDATE)
        yield table[table["first"] < table["second"]]


def _near(rows: Hashes, columns: Hashes) -> Cells:
    """Row, column, bits apart and turn of all near hashes of a block: (r,), (8, c) -> (4, k)."""
    shape = (len(rows), columns.shape[1])
    differing, apart = np.empty(shape, np.uint64), np.empty(shape, np.uint8)
    few = np.empty(shape, np.bool_)
    near = []
    for turn, turned_columns in enumerate(columns):
        np.bitwise_xor(rows[:, None], turned_columns[None], out=differing)
        np.bitwise_count(differing, out=apart)
        if np.less_equal(apart, MOST_BITS, out=few).any():
            first, second = np.nonzero(few)
            near.append(np.stack([first, second, apart[few], np.full(len(first), turn)]))
    return np.concatenate([np.empty((4, 0), np.int64), *near], axis=1)


def _alike(views: Views, candidates: pd.DataFrame) -> pd.DataFrame:
    """The candidates whose views are alike, each pair once, in the turn in which it is likest."""
    first, second, turns = (candidates[name].to_numpy() for name in ("first", "second", "turn"))
    likeness = np.zeros(len(candidates))
    for turn in range(len(TURNS)):
        own = np.flatnonzero(turns == turn)
        likeness[own] = _correlation(views[first[own]], turned(views[second[own]], turn))
    alike = candidates.assign(likeness=likeness)[likeness >= LEAST_LIKENESS]
    best = alike.sort_values(["likeness", "turn"], ascending=[False, True], kind="stable")
    return best.drop_duplicates(["first", "second"])


def _correlation(one: Views, other: Views) -> NDArray[np.float64]:
    """Correlation of the pixels of two stacks of views: (n,). Two flat views are the same."""
    a, b = (stack.reshape(len(stack), _SIDE * _SIDE).astype(np.float64) for stack in (one, other))
    a, b = (pixels - pixels.mean(axis=1, keepdims=True) for pixels in (a, b))
    spread = np.sqrt((a**2).sum(axis=1) * (b**2).sum(axis=1))
    both_flat = ~a.any(axis=1) & ~b.any(axis=1)
    products = (a * b).sum(axis=1)
    return np.where(both_flat, 1.0, products / np.where(spread > 0, spread, np.inf))
