"""The network of the report's section 5.2, many of them side by side."""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from lymphokit.mil.attention import AGGREGATIONS, Aggregation, Batch
from lymphokit.mil.layers import MemberLinear, MemberMlp, Normalisation


@dataclass(frozen=True)
class Architecture:
    """What a network is; the fields are settings of `models.d_mil` in config.yaml."""

    aggregation: Aggregation
    attention_width: int
    hidden: Sequence[int]
    clinical_hidden: Sequence[int]
    normalisation: Normalisation


class Committee(nn.Module):
    """D-MIL networks side by side: aggregation -> MLP, clinical -> MLP, both -> one logit.

    clinical_hidden empty: no clinical branch. The initial weights of a network come from its
    generator alone, uniform within 1 / sqrt(inputs) as in `torch.nn.Linear`.
    Source: report 5.2.1.
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
            joined = torch.cat([joined, self.clinical_mlp(clinical, clinical_keep)], dim=2)
        logits: Tensor = self.last(joined)
        return logits.squeeze(2)
