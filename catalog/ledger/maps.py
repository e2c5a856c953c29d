"""Linear maps from one modality to another, fitted anew for every arrangement of partners.

Moving partners permutes the rows of ``Y`` in a regression of ``Y`` on ``X``. ``X`` is put into the
principal axes of its training rows once a fold; after that ``X'X`` is diagonal, and a refit is one
product ``X' Y[arrangement]``, a scaling, and one product for the prediction. Many arrangements
go through BLAS at once. Double precision: single would halve the time and cost the equality
with a fit from scratch that the tests ask for.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from neuropair.catalog.ledger.folds import Fold
from neuropair.catalog.ledger.nulls import as_paired
from neuropair.catalog.ledger.paired import Floats, Ints, Paired

COMPONENTS = 64
"""Most principal components of a side."""
PENALTIES = np.logspace(-3, 3, 13)
"""Ridge penalties tried, in mean eigenvalues of ``X'X``."""
_BATCH_BYTES = 48 * 2**20
_RANK = 1e-9
"""Eigenvalues below this share of the largest are rounding."""


class Scored(NamedTuple):
    """What a row held out adds to the score of its person.

    Parameters
    ----------
    product, predicted, actual : array, shape (row,)
        Products of prediction with truth, and of each with itself, summed over components.
    cell : array of int, shape (row,)
        Rows of one cell (person and fold) are correlated together.
    row : array of int, shape (row,)
        Row in `Paired`.
    """

    product: Floats
    predicted: Floats
    actual: Floats
    cell: Ints
    row: Ints


class Maps:
    """Maps from side a to side b, ready to be refitted.

    The score is the correlation of prediction and truth over the held-out rows and components of
    a person, averaged over persons by their rows. The penalty is chosen by generalised
    cross-validation on the training rows, anew for every arrangement: it is part of what is
    permuted, so that the pairs as they are have no advantage from it.

    One direction only. Where stimuli are parted between folds, a map back would part them by the
    other side's stimulus under a null and by the same one in the pairs; the mean of both
    directions then passed empty corpora in 10 % at 5 %, and found no more in full ones.

    Parameters
    ----------
    paired : Paired
        As `comparable` makes it.
    folds : sequence of Fold
    """

    def __init__(self, paired: Paired, folds: Sequence[Fold]) -> None:
        unit = paired.unit
        self._fits = [_Fit.of(paired.a, paired.b, fold, unit) for fold in folds]
        self._n = len(paired)

    def scores(self, partners: Ints) -> Floats:
        """Refit and score each arrangement.

        Parameters
        ----------
        partners : array of int, shape (arrangement, pair)
            Row of side b that each row of side a is given.

        Returns
        -------
        array, shape (arrangement,)
        """
        total = np.zeros(len(partners))
        for fit in self._fits:
            for start in range(0, len(partners), fit.batch):
                batch = slice(start, start + fit.batch)
                total[batch] += fit.score(partners[batch])
        scores: Floats = total / max(sum(fit.weight for fit in self._fits), 1.0)
        return scores

    def observed(self) -> Scored:
        """Score the pairs as they are, row by row."""
        same = as_paired(self._n)
        parts, cells = [], 0
        for fit in self._fits:
            product, predicted, actual = fit.rows(same)
            codes = np.repeat(np.arange(len(fit.starts)), fit.sizes) + cells
            cells += len(fit.starts)
            parts.append(Scored(product[:, 0], predicted[:, 0], actual[:, 0], codes, fit.test))
        return Scored(*(np.concatenate(part) for part in zip(*parts, strict=True)))


class _Fit(NamedTuple):
    x_train: Floats
    x_test: Floats
    y: Floats
    y_power: Floats
    eigenvalues: Floats
    train: Ints
    test: Ints
    starts: Ints
    sizes: Ints

    @classmethod
    def of(cls, x: Floats, y: Floats, fold: Fold, unit: Ints) -> _Fit:
        most = min(COMPONENTS, len(fold.train) // 2)
        # predictors keep the variance of their axes, so that the penalty shrinks the small ones;
        # targets weigh alike, for what is shared is seldom what varies most
        scores = x @ principal_axes(x[fold.basis], most)
        targets = y @ principal_axes(y[fold.basis], most, whiten=True)
        gram = scores[fold.train].T @ scores[fold.train]
        eigenvalues, rotation = np.linalg.eigh(gram)
        kept = eigenvalues > _RANK * max(eigenvalues.max(initial=0), 1e-300)
        rotated = scores @ rotation[:, kept]
        _, starts, sizes = np.unique(unit[fold.test], return_index=True, return_counts=True)
        return cls(
            x_train=rotated[fold.train],
            x_test=rotated[fold.test],
            y=targets,
            y_power=(targets**2).sum(1),
            eigenvalues=eigenvalues[kept],
            train=fold.train,
            test=fold.test,
            starts=starts,
            sizes=sizes,
        )

    @property
    def batch(self) -> int:
        """Arrangements that go through at once."""
        one = 8 * max(len(self.train), len(self.test)) * max(1, self.y.shape[1])
        return max(1, int(_BATCH_BYTES // one))

    @property
    def weight(self) -> float:
        """Rows that are scored."""
        return float(self.sizes[self.sizes > 1].sum())

    def score(self, partners: Ints) -> Floats:
        """Sum of the cells' correlations, each times its rows, by arrangement."""
        product, predicted, actual = (
            np.add.reduceat(part, self.starts, axis=0) for part in self.rows(partners)
        )
        correlation = correlate(product, predicted, actual)
        weights = np.where(self.sizes > 1, self.sizes, 0)
        total: Floats = weights @ correlation
        return total

    def rows(self, partners: Ints) -> tuple[Floats, Floats, Floats]:
        """Products of prediction and truth, shape (test row, arrangement) each."""
        n, k = len(partners), self.y.shape[1]
        weights = self._weights(partners[:, self.train])
        guess = (self.x_test @ weights.reshape(len(weights), n * k)).reshape(-1, n, k)
        moved = partners[:, self.test].T
        truth = self.y[moved]
        return (
            np.einsum("tnk,tnk->tn", guess, truth),
            np.einsum("tnk,tnk->tn", guess, guess),
            self.y_power[moved],
        )

    def _weights(self, partners: Ints) -> Floats:
        """Ridge weights by arrangement, shape (component of x, arrangement, component of y)."""
        n, k = len(partners), self.y.shape[1]
        moved = self.y[partners.T].reshape(len(self.train), n * k)
        cross = (self.x_train.T @ moved).reshape(-1, n, k)
        values = self.eigenvalues
        penalties = PENALTIES * values.mean()
        left = penalties[:, None] / (values + penalties[:, None])
        explained = ((1 - left**2) / values) @ (cross**2).sum(2)
        power = self.y_power[partners].sum(1)
        freedom = len(self.train) - (1 - left).sum(1)
        validation = (power - explained) / freedom[:, None] ** 2
        penalty = penalties[np.argmin(validation, axis=0)]
        weights: Floats = cross / (values[:, None] + penalty)[..., None]
        return weights


def correlate(product: Floats, predicted: Floats, actual: Floats) -> Floats:
    """Correlation from sums of products; 0 where one side is constant."""
    scale = np.sqrt(predicted * actual)
    correlation: Floats = np.divide(product, scale, out=np.zeros_like(product), where=scale > 0)
    return correlation


def principal_axes(values: Floats, most: int, whiten: bool = False) -> Floats:
    """Axes of the largest variance of standardised features.

    Parameters
    ----------
    values : array, shape (row, feature)
        Of mean 0.
    most : int
    whiten : bool
        Scale each axis to unit variance.

    Returns
    -------
    array, shape (feature, axis)
        Largest variance first.
    """
    from scipy.linalg import eigh

    spread = np.sqrt((values**2).mean(0))
    scale = np.divide(1.0, spread, out=np.zeros_like(spread), where=spread > 0)
    standard = values * scale
    wide = standard.shape[1] > standard.shape[0]
    gram = standard @ standard.T if wide else standard.T @ standard
    size = len(gram)
    variances, vectors = eigh(gram, subset_by_index=(size - min(most, size), size - 1))
    kept = variances > _RANK * max(variances.max(initial=0), 1e-300)
    variances, vectors = variances[kept][::-1], vectors[:, kept][:, ::-1]
    axes = standard.T @ vectors / np.sqrt(variances) if wide else vectors
    if whiten:
        axes = axes / np.sqrt(variances / len(values))
    scaled: Floats = scale[:, None] * axes
    return scaled
