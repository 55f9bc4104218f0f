"""A transformer encoder of BERT's shape at any size (Devlin et al., arXiv 1810.04805).

With the layers' normalisation before them instead of behind (Xiong et al., "On Layer Normalization
in the Transformer Architecture", arXiv 2002.04745), which learns without a long warm-up. The
settings of BERT-base are layers 12, heads 12, width 768, feed_forward 3072, dropout 0.1, pooling
"first", and no convolution.
"""

from typing import TYPE_CHECKING, Annotated, Literal, Self

from pydantic import Field, model_validator

from duli.base.params import Section

if TYPE_CHECKING:
    from torch import nn

INITIAL = 0.02  # BERT's standard deviation of initial weights, at BERT-base's width
INITIAL_WIDTH = 768


class Settings(Section):
    """Depth and width; the defaults are BERT's."""

    layers: Annotated[int, Field(ge=1, le=256)]
    heads: Annotated[int, Field(ge=1, le=256)]
    width: Annotated[int, Field(ge=1, le=65_536)]
    # width between the two linear layers of a block
    feed_forward: Annotated[int, Field(ge=1, le=262_144)]
    # of the embedding, the attention's weights, and what each layer adds
    dropout: Annotated[float, Field(ge=0, lt=1)] = 0.1
    # share of the tokens whose embedding is set to zero while training
    token_dropout: Annotated[float, Field(ge=0, lt=1)] = 0.0
    # tokens that a depthwise convolution before the first layer sees; 0: none
    convolution: Annotated[int, Field(ge=0, le=31)] = 0
    # what stands for the whole text: BERT's first token, or all of them
    pooling: Literal["first", "mean", "max"] = "first"

    @model_validator(mode="after")
    def _divisible(self) -> Self:
        if self.width % self.heads:
            raise ValueError(f"width {self.width} is not divisible by heads {self.heads}")
        if self.convolution and self.convolution % 2 == 0:
            raise ValueError(
                f"convolution {self.convolution} has no middle; take an odd number, or 0 for none"
            )
        return self


def build(settings: Settings, *, length: int, vocabulary: int, outputs: int) -> "nn.Module":
    """The network: tokens int64 or int32 [n, l], l <= `length`, 0 for padding behind the text ->
    logits [n, outputs].

    Each text has at least one token; what stands behind it changes nothing. `encode` of the network
    gives the vectors of the tokens, [n, l, width], and `tokens` is their embedding: what
    pretraining works with.
    """
    from duli.models.shared.encoder import Encoder

    return Encoder(
        length=length,
        vocabulary=vocabulary,
        outputs=outputs,
        layers=settings.layers,
        heads=settings.heads,
        width=settings.width,
        feed_forward=settings.feed_forward,
        dropout=settings.dropout,
        token_dropout=settings.token_dropout,
        convolution=settings.convolution,
        pooling=settings.pooling,
        deviation=INITIAL * (INITIAL_WIDTH / settings.width) ** 0.5,
    )
