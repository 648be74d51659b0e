"""Ensembles: blends that combine the probabilities of several models into one."""

from collections.abc import Sequence
from typing import Any, Protocol, Self

import numpy as np
from scipy.special import expit, logit

from lymphokit.bags.packed import Clinical
from lymphokit.errors import LymphokitError
from lymphokit.evaluation import metrics, threshold
from lymphokit.evaluation.log_odds import clipped_log_odds, least_probability
from lymphokit.evaluation.metrics import Floats, Labels
from lymphokit.evaluation.threshold import Rule
from lymphokit.solvers.logistic import fit_logistic

CLINICAL_FEATURES = ("age_years", "log_lymphocytes_giga_per_litre")


class BlendError(LymphokitError):
    """Models cannot be blended: none is enabled, a name is taken, or their patients differ."""


class Blend(Protocol):
    """Combines the probabilities of several models into one."""

    def fit(self, probabilities: Floats, labels: Labels, clinical: Clinical) -> Self:
        """Fit on inner predictions (n, n_models) of patients with labels (n,)."""
        ...

    def predict_proba(self, probabilities: Floats, clinical: Clinical) -> Floats:
        """The blend's probability of each patient, from columns as in `fit`: (n,)."""
        ...

    def chosen(self) -> dict[str, Any]:
        """What was fitted or chosen, as plain data for a JSON file."""
        ...


class Vote:
    """Majority vote of the best models, each deciding at its threshold.

    Models are ranked on the patients fitted on: by balanced accuracy at the model's threshold,
    ties by AUC, then by the order given. The probability is the share of votes. The number of
    voters is odd: the largest odd number up to `best` and the number of models.
    Source: report section 6, "the best 5 solutions ... voting".
    Departs: the report does not give its ranking; five of its solutions may be variants of one
    approach, and here each model has one vote.
    """

    def __init__(self, *, models: Sequence[str], best: int, rule: Rule) -> None:
        self.models = tuple(models)
        self.best = best
        self.rule = rule

    def fit(self, probabilities: Floats, labels: Labels, clinical: Clinical) -> Self:
        """Choose the threshold of every model, rank the models, keep the best."""
        del clinical
        columns = probabilities.T
        self.thresholds_ = np.array(
            [threshold.choose(self.rule, labels, column) for column in columns]
        )
        decided = threshold.decide(probabilities, self.thresholds_).T
        self.scores_ = [_merit(labels, *pair) for pair in zip(decided, columns, strict=True)]
        ranked = sorted(range(len(columns)), key=self.scores_.__getitem__, reverse=True)
        most = min(self.best, len(columns))
        self.voters_ = ranked[: most if most % 2 else most - 1]
        return self

    def predict_proba(self, probabilities: Floats, clinical: Clinical) -> Floats:
        """The share of voters that decide for tumoral: (n,)."""
        del clinical
        decided = threshold.decide(probabilities, self.thresholds_)
        return np.asarray(decided[:, self.voters_].mean(axis=1))

    def chosen(self) -> dict[str, Any]:
        """The voters, best first, and the threshold and scores of every model."""
        ranking = {
            name: {"threshold": float(cut), "balanced_accuracy": accuracy, "auc": auc}
            for name, cut, (accuracy, auc) in zip(
                self.models, self.thresholds_, self.scores_, strict=True
            )
        }
        return {"voters": [self.models[voter] for voter in self.voters_], "models": ranking}


def _merit(labels: Labels, decisions: Labels, probabilities: Floats) -> tuple[float, float]:
    """Balanced accuracy, then AUC; rounded, so that equal shares of patients compare equal."""
    accuracy = metrics.score("balanced_accuracy", labels, decisions, probabilities)
    auc = metrics.score("auc", labels, decisions, probabilities)
    return round(accuracy, 12), round(auc, 12)


class Choice:
    """Model selection: the best model on the patients fitted on, ranked as the vote ranks.

    Nested model selection for C, the pooling of cells, the round of pseudo-labelling or the model
    itself.
    """

    def __init__(self, *, models: Sequence[str], rule: Rule) -> None:
        self.models = tuple(models)
        self.ranking = Vote(models=models, best=1, rule=rule)

    def fit(self, probabilities: Floats, labels: Labels, clinical: Clinical) -> Self:
        """Rank the models and take the first."""
        self.taken_ = self.ranking.fit(probabilities, labels, clinical).voters_[0]
        return self

    def predict_proba(self, probabilities: Floats, clinical: Clinical) -> Floats:
        """The probabilities of the model taken: (n,)."""
        del clinical
        return np.asarray(probabilities[:, self.taken_])

    def chosen(self) -> dict[str, Any]:
        """The model taken, and the threshold and scores of every model."""
        return {"taken": self.models[self.taken_], "models": self.ranking.chosen()["models"]}


class Mean:
    """The mean probability of all models; nothing is fitted."""

    def __init__(self, *, models: Sequence[str]) -> None:
        self.models = tuple(models)

    def fit(self, probabilities: Floats, labels: Labels, clinical: Clinical) -> Self:
        """Nothing to fit."""
        del probabilities, labels, clinical
        return self

    def predict_proba(self, probabilities: Floats, clinical: Clinical) -> Floats:
        """The mean over the models: (n,)."""
        del clinical
        return np.asarray(probabilities.mean(axis=1))

    def chosen(self) -> dict[str, Any]:
        """The models that enter."""
        return {"models": list(self.models)}


class Product:
    """Product of experts: the mean log odds of the image models, and a clinical model's.

    Images, age and count are taken to be independent given the label, so their log odds add up.
    Those of image models are averaged, as they see the same cells, and count without their
    prevalence, which the clinical model brings. Log odds are clipped to `least_probability`. No
    weight is fitted: a hundred patients determine few. Without a clinical model the images
    predict alone.
    Source: Hinton 2002, Training products of experts.
    """

    def __init__(self, *, models: Sequence[str], clinical: str | None) -> None:
        self.models = tuple(models)
        self.clinical = clinical

    def fit(self, probabilities: Floats, labels: Labels, clinical: Clinical) -> Self:
        """Take the prevalence of these patients, and what their number can support."""
        del probabilities, clinical
        self.least_ = least_probability(len(labels))
        self.prior_ = float(clipped_log_odds(labels.mean(), self.least_))
        return self

    def predict_proba(self, probabilities: Floats, clinical: Clinical) -> Floats:
        """The probability at the prevalence of the patients fitted on: (n,)."""
        del clinical
        odds = clipped_log_odds(probabilities, self.least_)
        is_image = np.array([model != self.clinical for model in self.models])
        beyond_prevalence = odds[:, is_image].mean(axis=1) - self.prior_
        start = odds[:, ~is_image].sum(axis=1) if self.clinical else self.prior_
        return np.asarray(expit(start + beyond_prevalence))

    def chosen(self) -> dict[str, Any]:
        """The models that enter, and the log odds of the prevalence."""
        return {"models": list(self.models), "prevalence_log_odds": self.prior_}


class Stack:
    """Logistic regression on the log odds of the image models, age and log count.

    Designed for about a hundred patients:
    - log odds are clipped to `least_probability`, the most that n patients can support, so one
      overconfident model cannot dominate;
    - they are standardised on the patients fitted on, so the ridge is independent of the scale of
      a model's log odds;
    - the ridge is strong (C from the configuration): as C falls the weights tend to each model's
      covariance with the label, which ignores the correlations between models. A hundred patients
      do not determine those; unpenalised weights would fit their noise;
    - weights of image models are not negative: each was fitted to predict the label, so a
      negative weight would only correct another model's noise (Breiman 1996, Stacked regressions);
    - classes are weighted equally in the fit. The ridge then shrinks towards equal odds, halfway
      between the classes; unweighted it would shrink towards the commoner class and shift the
      decision. Adding the log odds of the prevalence to the intercept afterwards gives
      probabilities for this cohort, whose `prevalence` threshold is the fitted boundary.

    Models that use only the clinical attributes are left out: age and count enter themselves.
    """

    def __init__(self, *, models: Sequence[str], image_models: Sequence[str], C: float) -> None:
        self.models = tuple(models)
        self.image_models = tuple(image_models)
        self.C = C

    def fit(self, probabilities: Floats, labels: Labels, clinical: Clinical) -> Self:
        """Fit scaling, weights and intercept on these patients.

        Raises BlendError without both classes.
        """
        if len(np.unique(labels)) < 2:
            raise BlendError("the stack cannot be fitted on patients of one class; use fewer folds")
        self.least_ = least_probability(len(labels))
        features = self._features(probabilities, clinical)
        self.centre_, spread = features.mean(axis=0), features.std(axis=0)
        self.scale_ = np.where(spread > 0, spread, 1.0)  # a constant feature stays at 0
        by_class = len(labels) / (2 * np.bincount(labels))  # scikit-learn's "balanced" weights
        n_clinical = len(CLINICAL_FEATURES)
        balanced = fit_logistic(
            (features - self.centre_) / self.scale_,
            labels,
            self.C * by_class[labels],
            ridge=1.0,
            lower=np.repeat([0.0, -np.inf], [len(features.T) - n_clinical, n_clinical]),
        )
        self.weights_ = balanced.weights
        self.intercept_ = balanced.intercept + float(logit(labels.mean()))
        return self

    def predict_proba(self, probabilities: Floats, clinical: Clinical) -> Floats:
        """The probability at the prevalence of the patients fitted on: (n,)."""
        features = (self._features(probabilities, clinical) - self.centre_) / self.scale_
        return np.asarray(expit(features @ self.weights_ + self.intercept_))

    def chosen(self) -> dict[str, Any]:
        """The weight of each standardised feature, and the intercept."""
        names = [model for model in self.models if model in self.image_models]
        weights = dict(zip([*names, *CLINICAL_FEATURES], self.weights_.tolist(), strict=True))
        return {"weights": weights, "intercept": self.intercept_}

    def _features(self, probabilities: Floats, clinical: Clinical) -> Floats:
        """Log odds of the image models, age, log count: (n, n_image_models + 2)."""
        columns = [column for column, model in enumerate(self.models) if model in self.image_models]
        odds = clipped_log_odds(probabilities[:, columns], self.least_)
        return np.column_stack([odds, clinical.matrix()])
