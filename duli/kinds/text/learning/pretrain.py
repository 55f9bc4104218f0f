"""Masked-language modelling: an encoder learns from unlabelled texts to predict masked tokens.

Devlin et al., "BERT: Pre-training of Deep Bidirectional Transformers for Language Understanding",
arXiv 1810.04805; masks are redrawn each time a text is seen, as in RoBERTa (Liu et al., arXiv
1907.11692).
"""

import math
from collections.abc import Iterator, Mapping
from typing import NamedTuple, Protocol, cast

import torch
from torch import Tensor, nn
from torch.nn import functional

from duli.base.errors import DataError, GateError, ParamsError
from duli.base.progress import progress
from duli.kinds.text.learning.inputs import lengths
from duli.kinds.text.learning.params import Pretraining
from duli.kinds.text.reading import tokenizer
from duli.training.order import alike

# Shares of the chosen tokens that are replaced by [MASK], and by a random token. The rest stay
# unchanged.
MASKED, REPLACED = 0.8, 0.1
BETAS = (0.9, 0.999)  # of AdamW, as in BERT's code
CLIP_NORM = 1.0  # likewise


class Encoder(Protocol):
    """The interface of a network that can be pretrained."""

    tokens: nn.Embedding

    def encode(self, tokens: Tensor) -> Tensor:
        """[n, l] -> the vector of each token, [n, l, width]."""
        ...


class Epoch(NamedTuple):
    """The figures of one epoch of pretraining."""

    loss: float  # mean over the chosen tokens, in nats
    accuracy: float  # share of the chosen tokens that were predicted correctly


def pretrained(
    model: nn.Module,
    tokens: Tensor,
    settings: Mapping[str, float],
    seed: int,
    device: torch.device,
    precision: torch.dtype,
) -> str:
    """Runs the pretraining that `train.pretraining` asks for, and returns a summary in words.

    Raises `ParamsError` if the network is not an encoder.
    """
    if not hasattr(model, "encode"):
        raise ParamsError(
            f"train.pretraining is for encoders, and {type(model).__name__} is none; set it to"
            " null, or model.name to encoder"
        )
    history = pretrain(
        model,
        tokens,
        Pretraining.model_validate(settings),
        mask=tokenizer.MASK,
        special=len(tokenizer.SPECIAL),
        seed=seed,
        device=device,
        precision=precision,
    )
    return (
        f"loss {history[0].loss:.3f} to {history[-1].loss:.3f}, {history[-1].accuracy:.1%} of the"
        " hidden tokens guessed"
    )


def pretrain(
    model: nn.Module,
    tokens: Tensor,
    settings: Pretraining,
    *,
    mask: int,
    special: int,
    seed: int,
    device: torch.device,
    precision: torch.dtype,
) -> list[Epoch]:
    """Trains `model` (see `Encoder`) in place on the texts `tokens` [n, length] and leaves it on
    `device`.

    Tokens below `special` are never chosen; `mask` is the mask token, 0 is padding. On the CPU, the
    same input and number of threads give bit-identical weights. Raises `DataError` if there is
    nothing to predict, and `GateError` if the loss is not finite, before that step changes a
    weight.
    """
    if not settings.epochs:
        return []
    if not bool((tokens >= special).any()):
        raise DataError("none of the texts has a token to guess; look at data/prepared")
    forked = [device] if device.type == "cuda" else []
    with torch.random.fork_rng(devices=forked):
        torch.manual_seed(seed)  # seeds the head's weights
        return _Pretraining(
            model.to(device), tokens, settings, mask, special, seed, device, precision
        ).run()


def choose(
    tokens: Tensor,
    share: float,
    mask: int,
    special: int,
    vocabulary: int,
    generator: torch.Generator,
) -> tuple[Tensor, Tensor]:
    """The masked input for `tokens` [n, l], and the positions to predict (bool [n, l]).

    Chooses the `share` of each text's tokens, at least one; of these 80 % become `mask`, 10 % a
    random token, and 10 % stay unchanged.
    """
    candidates = tokens >= special
    drawn = torch.rand(tokens.shape, generator=generator).masked_fill(~candidates, 2.0)
    rank = drawn.argsort(dim=1).argsort(dim=1)
    wanted = (candidates.sum(dim=1, keepdim=True) * share).round().clamp(min=1)
    chosen = (rank < wanted) & candidates
    fate = torch.rand(tokens.shape, generator=generator)
    others = torch.randint(
        special, vocabulary, tokens.shape, generator=generator, dtype=tokens.dtype
    )
    shown = tokens.masked_fill(chosen & (fate < MASKED), mask)
    return torch.where(chosen & (fate >= 1 - REPLACED), others, shown), chosen


class _Head(nn.Module):
    """Maps token vectors to logits over all tokens; the output matrix is tied to the embedding."""

    def __init__(self, embedding: nn.Embedding) -> None:
        super().__init__()
        self.change = nn.Sequential(
            nn.Linear(embedding.embedding_dim, embedding.embedding_dim),
            nn.GELU(),
            nn.LayerNorm(embedding.embedding_dim),
        )
        self.bias = nn.Parameter(torch.zeros(embedding.num_embeddings))

    def forward(self, vectors: Tensor, embedding: Tensor) -> Tensor:
        return functional.linear(self.change(vectors), embedding, self.bias)


class _Pretraining:
    """One run of pretraining."""

    def __init__(
        self,
        model: nn.Module,
        tokens: Tensor,
        settings: Pretraining,
        mask: int,
        special: int,
        seed: int,
        device: torch.device,
        precision: torch.dtype,
    ) -> None:
        self.model, self.tokens, self.settings, self.mask, self.special = (
            model,
            tokens,
            settings,
            mask,
            special,
        )
        self.device, self.precision = device, precision
        self.encoder = cast(Encoder, model)
        self.head = _Head(self.encoder.tokens).to(device)
        self.generator = torch.Generator().manual_seed(seed)
        self.batch = min(settings.batch, len(tokens))
        self.steps = settings.epochs * (len(tokens) // self.batch)
        # The pooler and the classifier take no part: without gradients they stay unchanged.
        self.weights = [*model.parameters(), *self.head.parameters()]
        groups = [
            {
                "params": [weight for weight in self.weights if weight.dim() >= 2],
                "weight_decay": settings.weight_decay,
            },
            {
                "params": [weight for weight in self.weights if weight.dim() < 2],
                "weight_decay": 0.0,
            },
        ]
        self.optimizer = torch.optim.AdamW(
            groups, lr=settings.learning_rate, betas=BETAS, fused=True
        )
        self.schedule = torch.optim.lr_scheduler.LambdaLR(self.optimizer, self._share_of_peak)
        self.scaler = torch.amp.GradScaler(device.type, enabled=precision == torch.float16)
        # sums of this epoch: loss, correct predictions, chosen tokens
        self.sums = torch.zeros(3, dtype=torch.float64)

    def run(self) -> list[Epoch]:
        # No dropout, as in Geiping & Goldstein ("Cramming: Training a Language Model on a Single
        # GPU in One Day", arXiv 2212.14034): new masks each time already prevent overfitting in so
        # short a pretraining.
        self.model.eval()
        history: list[Epoch] = []
        steps_an_epoch = self.steps // self.settings.epochs
        shown = progress(
            self._batches(),
            "pretrain",
            total=self.steps,
            unit="texts",
            size=self.batch,
            facts=self._facts,
        )
        for step, texts in enumerate(shown, start=1):
            self._learn(texts, step)
            if step % steps_an_epoch == 0:
                history.append(self._epoch())
                self.sums.zero_()
        return history

    def _batches(self) -> Iterator[Tensor]:
        counts = lengths(self.tokens)
        for _ in range(self.settings.epochs):
            order = torch.randperm(len(self.tokens), generator=self.generator)
            rows = order[: len(order) // self.batch * self.batch].view(-1, self.batch)
            for batch in alike(rows, counts, self.generator):
                yield _cut(self.tokens[batch])

    def _learn(self, texts: Tensor, step: int) -> None:
        shown, chosen = choose(
            texts,
            self.settings.masked,
            self.mask,
            self.special,
            self.encoder.tokens.num_embeddings,
            self.generator,
        )
        if not bool(chosen.any()):  # texts of unknown characters only
            return
        wanted = texts[chosen].long().to(self.device)
        with torch.autocast(
            self.device.type, self.precision, enabled=self.precision != torch.float32
        ):
            # The head is the most expensive layer, so it computes the chosen tokens only.
            vectors = self.encoder.encode(shown.to(self.device))[chosen.to(self.device)]
            logits = self.head(vectors, self.encoder.tokens.weight).float()
        loss = functional.cross_entropy(logits, wanted)
        if not math.isfinite(loss.item()):
            raise GateError(
                f"the loss of pretraining is {loss.item()} at step {step} of {self.steps}; "
                "lower pretrain.learning_rate, or set train.precision: float32"
            )
        self.optimizer.zero_grad()
        self.scaler.scale(loss).backward()  # type: ignore[no-untyped-call]
        self.scaler.unscale_(self.optimizer)
        nn.utils.clip_grad_norm_(self.weights, CLIP_NORM)
        self.scaler.step(self.optimizer)
        self.scaler.update()
        self.schedule.step()
        guessed = (logits.argmax(dim=1) == wanted).sum().item()
        self.sums += torch.tensor(
            [loss.item() * len(wanted), guessed, len(wanted)], dtype=torch.float64
        )

    def _share_of_peak(self, done: int) -> float:
        """Linear warm-up, then linear decay to zero."""
        peak = self.settings.warm_up * self.steps
        return (done + 1) / (peak + 1) if done < peak else (self.steps - done) / (self.steps - peak)

    def _epoch(self) -> Epoch:
        loss, guessed, chosen = self.sums.tolist()
        return Epoch(loss / max(chosen, 1), guessed / max(chosen, 1))

    def _facts(self) -> str:
        if not self.sums[2]:
            return ""
        now = self._epoch()
        return f"loss {now.loss:.3f}, guessed {now.accuracy:.1%}"


def _cut(tokens: Tensor) -> Tensor:
    """The texts of a batch without shared trailing padding."""
    return tokens[:, : int(lengths(tokens).max())]
