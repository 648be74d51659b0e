"""The network of the report's section 5.2, many of them side by side."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Any, Literal, TypeVar

import torch
from torch import Tensor, nn
from torch.nn.functional import logsigmoid

from lymphokit.deep_mil.attention import AGGREGATIONS, Aggregation, Batch
from lymphokit.deep_mil.layers import MemberLinear, MemberMlp, Normalisation

Fusion = Literal["joined", "experts"]


@dataclass(frozen=True)
class Architecture:
    """What a network is; the fields are settings of `models.d_mil` in config.yaml."""

    aggregation: Aggregation
    attention_width: int
    hidden: Sequence[int]
    clinical_hidden: Sequence[int]
    fusion: Fusion
    normalisation: Normalisation


Part = TypeVar("Part")


def pick(what: type[Part], settings: Mapping[str, Any]) -> Part:
    """A dataclass from the settings of its field names."""
    return what(**{field.name: settings[field.name] for field in fields(what)})  # type: ignore[arg-type]


class Committee(nn.Module):
    """D-MIL networks side by side: aggregation -> MLP, clinical -> MLP, both -> one logit.

    fusion `joined`: one layer on both; `experts`: an expert for the images and one for the clinical
    attributes, each with a probability of its own, and a gate that mixes these, patient by patient.
    clinical_hidden empty: no clinical branch. The initial weights of a network come from its
    generator alone, uniform within 1 / sqrt(inputs) as in `torch.nn.Linear`.
    Source: report 5.2.1; experts: Sahasrabudhe et al. 2020.
    Departs: the experts learn through their mixture alone.
    Raises ValueError for experts without a clinical branch.
    """

    def __init__(
        self,
        features: int,
        n_clinical: int,
        architecture: Architecture,
        generators: Sequence[torch.Generator],
    ) -> None:
        super().__init__()
        its = architecture
        self.aggregation = AGGREGATIONS[its.aggregation](features, its.attention_width, generators)
        self.bag_mlp = MemberMlp(self.aggregation.width, its.hidden, its.normalisation, generators)
        self.clinical_mlp = (
            MemberMlp(n_clinical, its.clinical_hidden, its.normalisation, generators)
            if its.clinical_hidden
            else None
        )
        joined = [self.aggregation.width, *its.hidden][-1] + sum(its.clinical_hidden[-1:])
        self.last = MemberLinear(joined, 1, generators)
        self.experts = None
        if its.fusion == "experts":
            if not its.clinical_hidden:
                raise ValueError("fusion: experts needs clinical_hidden, for its clinical expert")
            widths = [self.aggregation.width, *its.hidden][-1], its.clinical_hidden[-1]
            self.experts = nn.ModuleList(MemberLinear(width, 1, generators) for width in widths)

    @property
    def dropout_width(self) -> int:
        """Units that dropout may silence, the bag's MLP first: the width of `keep`."""
        clinical = self.clinical_mlp.widths if self.clinical_mlp else []
        return sum(self.bag_mlp.widths) + sum(clinical)

    def forward(self, batches: Sequence[Batch], keep: Tensor | None = None) -> Tensor:
        """The logit that each network gives each bag of its group's batch: (M, B).

        batches: one a group, in the order of the networks, all of B bags; keep (M, B,
        dropout_width) as in `MemberMlp`, None outside training.
        """
        split = sum(self.bag_mlp.widths)
        bag_keep = None if keep is None else keep[..., :split]
        joined = self.bag_mlp(self.aggregation(batches), bag_keep)
        if self.clinical_mlp is not None:
            clinical_keep = None if keep is None else keep[..., split:]
            clinical = torch.cat(
                [batch.clinical.expand(batch.members, -1, -1) for batch in batches]
            )
            of_clinical = self.clinical_mlp(clinical, clinical_keep)
            both = torch.cat([joined, of_clinical], dim=2)
            if self.experts is not None:
                says = [own(x) for own, x in zip(self.experts, (joined, of_clinical), strict=True)]
                return mixture(self.last(both), *says).squeeze(2)
            joined = both
        logits: Tensor = self.last(joined)
        return logits.squeeze(2)


def mixture(gate: Tensor, first: Tensor, second: Tensor) -> Tensor:
    """The logit of g p1 + (1 - g) p2, all three given as logits, without a loss of digits."""
    ours, theirs = logsigmoid(gate), logsigmoid(-gate)
    for_one = torch.logaddexp(ours + logsigmoid(first), theirs + logsigmoid(second))
    for_zero = torch.logaddexp(ours + logsigmoid(-first), theirs + logsigmoid(-second))
    return for_one - for_zero
