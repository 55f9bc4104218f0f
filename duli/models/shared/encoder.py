"""The modules of `encoder`, apart from its settings, which can be read without importing torch."""

import torch
from torch import Tensor, nn
from torch.nn import functional

PADDING = 0


class Encoder(nn.Module):
    """See `encoder.build`."""

    def __init__(
        self,
        *,
        length: int,
        vocabulary: int,
        outputs: int,
        layers: int,
        heads: int,
        width: int,
        feed_forward: int,
        dropout: float,
        token_dropout: float,
        convolution: int,
        pooling: str,
        deviation: float,
    ) -> None:
        super().__init__()
        self.tokens = nn.Embedding(vocabulary, width, padding_idx=PADDING)
        self.positions = nn.Embedding(length, width)
        self.convolution = (
            nn.Conv1d(width, width, convolution, padding=convolution // 2, groups=width)
            if convolution
            else None
        )
        self.normalise = nn.LayerNorm(width)
        self.dropout, self.token_dropout, self.pooling = nn.Dropout(dropout), token_dropout, pooling
        self.blocks = nn.ModuleList(
            _Block(width, heads, feed_forward, dropout) for _ in range(layers)
        )
        self.last = nn.LayerNorm(width)
        self.pooler = nn.Linear(width, width)
        self.classifier = nn.Linear(width, outputs)
        self.apply(lambda module: _initialise(module, deviation))

    def encode(self, tokens: Tensor) -> Tensor:
        """The contextual vector of each token: [n, l] -> [n, l, width]; vectors of padding are
        meaningless.
        """
        real = tokens != PADDING
        x = self.tokens(tokens)
        if self.training and self.token_dropout:
            x = x * (
                torch.rand(tokens.shape, device=tokens.device) >= self.token_dropout
            ).unsqueeze(-1)
        if self.convolution is not None:
            # padding is zero, whatever was learned for its embedding
            x = x * real.unsqueeze(-1)
            x = x + self.convolution(x.transpose(1, 2)).transpose(1, 2)
        x = self.dropout(self.normalise(x + self.positions.weight[: tokens.shape[1]]))
        mask = real[:, None, None, :]
        for block in self.blocks:
            x = block(x, mask)
        vectors: Tensor = self.last(x)
        return vectors

    def forward(self, tokens: Tensor) -> Tensor:
        """Logits [n, outputs]."""
        real = (tokens != PADDING).unsqueeze(-1)
        x = self.encode(tokens)
        if self.pooling == "first":
            pooled = x[:, 0]
        elif self.pooling == "mean":
            pooled = (x * real).sum(dim=1) / real.sum(dim=1)
        else:
            pooled = x.masked_fill(~real, torch.finfo(x.dtype).min).amax(dim=1)
        logits: Tensor = self.classifier(
            self.dropout(torch.tanh(self.pooler(self.dropout(pooled))))
        )
        return logits


class _Block(nn.Module):
    """Attention over all tokens, then two linear layers for each of them."""

    def __init__(self, width: int, heads: int, feed_forward: int, dropout: float) -> None:
        super().__init__()
        self.heads = heads
        self.before_attention, self.before_feed_forward = nn.LayerNorm(width), nn.LayerNorm(width)
        self.query_key_value, self.out = nn.Linear(width, 3 * width), nn.Linear(width, width)
        self.up, self.down = nn.Linear(width, feed_forward), nn.Linear(feed_forward, width)
        self.dropout = nn.Dropout(dropout)

    def forward(self, x: Tensor, real: Tensor) -> Tensor:
        x = x + self.dropout(self._attention(self.before_attention(x), real))
        changed: Tensor = x + self.dropout(
            self.down(functional.gelu(self.up(self.before_feed_forward(x))))
        )
        return changed

    def _attention(self, x: Tensor, real: Tensor) -> Tensor:
        query, key, value = (
            self.query_key_value(x)
            .unflatten(-1, (3, self.heads, -1))
            .permute(2, 0, 3, 1, 4)
            .unbind(0)
        )
        # where torch's fused attention is slower in bfloat16: four times for 46 tokens, three times
        # for 128
        if x.device.type == "cpu":
            scores = (query * query.shape[-1] ** -0.5) @ key.transpose(-2, -1)
            mixed = self.dropout(scores.masked_fill(~real, -torch.inf).softmax(dim=-1)) @ value
        else:
            share = self.dropout.p if self.training else 0.0
            mixed = functional.scaled_dot_product_attention(
                query, key, value, attn_mask=real, dropout_p=share
            )
        attended: Tensor = self.out(mixed.transpose(1, 2).flatten(2))
        return attended


def _initialise(module: nn.Module, deviation: float) -> None:
    if isinstance(module, nn.Linear | nn.Embedding):
        nn.init.trunc_normal_(module.weight, std=deviation, a=-2 * deviation, b=2 * deviation)
    if isinstance(module, nn.Linear):
        nn.init.zeros_(module.bias)
    if isinstance(module, nn.Embedding) and module.padding_idx is not None:
        with torch.no_grad():
            module.weight[module.padding_idx].zero_()
