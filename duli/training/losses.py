"""What training makes small."""

import torch
from torch import Tensor
from torch.nn import functional

from duli.training.params import Training


def each(logits: Tensor, labels: Tensor, settings: Training) -> Tensor:
    """The loss of each example: logits [n, classes] and class indices [n] -> float32 [n].

    `cross_entropy` is in nats, of the softmax of the logits; `mean_squared_error` is of the logits themselves against 1 for the
    class and 0 for the others (Hui & Belkin, "Evaluation of Neural Architectures Trained with Square Loss vs Cross-Entropy",
    arXiv 2006.07322). Label smoothing (Szegedy et al., arXiv 1512.00567) spreads its share of the target over all classes in both.
    """
    logits = logits.float()
    if settings.loss == "cross_entropy":
        return functional.cross_entropy(logits, labels, label_smoothing=settings.label_smoothing, reduction="none")
    classes = logits.shape[1]
    targets = functional.one_hot(labels, classes).to(logits.dtype)
    targets = torch.lerp(targets, torch.full_like(targets, 1 / classes), settings.label_smoothing)
    return (logits - targets).square().mean(dim=1)
