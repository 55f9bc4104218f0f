"""Per-example losses of a classifier."""

import torch
from torch import Tensor
from torch.nn import functional

from duli.training.params import Training

TEMPERATURE = 4.0  # temperature that softens the outputs of teacher and student
SOFT = 0.7  # weight of the distillation loss; the rest is the loss on the labels


def each(logits: Tensor, labels: Tensor, settings: Training) -> Tensor:
    """Per-example losses: logits [n, classes] and class indices [n] -> float32 [n].

    `cross_entropy` is in nats, of the softmax of the logits; `mean_squared_error` compares the
    logits with 1 for the class and 0 for the others (Hui & Belkin, "Evaluation of Neural
    Architectures Trained with Square Loss vs Cross-Entropy", arXiv 2006.07322). Label smoothing
    (Szegedy et al., arXiv 1512.00567) spreads its share of the target over all classes in both.
    """
    logits = logits.float()
    if settings.loss == "cross_entropy":
        return functional.cross_entropy(
            logits, labels, label_smoothing=settings.label_smoothing, reduction="none"
        )
    classes = logits.shape[1]
    targets = functional.one_hot(labels, classes).to(logits.dtype)
    targets = torch.lerp(targets, torch.full_like(targets, 1 / classes), settings.label_smoothing)
    return (logits - targets).square().mean(dim=1)


def taught(logits: Tensor, teacher: Tensor, labels: Tensor, settings: Training) -> Tensor:
    """Per-example distillation losses: logits of student and teacher [n, classes], labels [n] ->
    float32 [n].

    Hinton et al., "Distilling the Knowledge in a Neural Network", arXiv 1503.02531: the loss on the
    labels plus the cross-entropy with the teacher's probabilities, both softened by a temperature
    T, times T^2, which keeps the scale of its gradients (here minus the teacher's own entropy, so
    that it is zero where both agree). With `mean_squared_error` the logits are compared directly
    (Ba & Caruana, "Do Deep Nets Really Need to be Deep?", arXiv 1312.6184).
    """
    logits, teacher = logits.float(), teacher.float()
    if settings.loss == "mean_squared_error":
        soft = (logits - teacher).square().mean(dim=1)
    else:
        student, wanted = (
            functional.log_softmax(one / TEMPERATURE, dim=1) for one in (logits, teacher)
        )
        soft = TEMPERATURE**2 * functional.kl_div(
            student, wanted, reduction="none", log_target=True
        ).sum(dim=1)
    return torch.lerp(each(logits, labels, settings), soft, SOFT)
