"""A network as a sequence of layers, for freezing and layer-wise learning rates."""

from torch import nn


def layers(model: nn.Module) -> list[list[nn.Parameter]]:
    """The weights by layer, input first; vectors alone (a normalisation) join the layer before
    them.
    """
    stack: list[list[nn.Parameter]] = []
    for module in modules(model):
        own = list(module.parameters(recurse=False))
        if stack and all(weight.dim() < 2 for weight in own):
            stack[-1] += own
        else:
            stack.append(own)
    return stack


def modules(model: nn.Module) -> list[nn.Module]:
    """The modules that hold weights of their own, input first."""
    return [module for module in model.modules() if list(module.parameters(recurse=False))]


def freeze(model: nn.Module, below: int) -> None:
    """Freezes the weights and running statistics of the layers before number `below`; all others
    train.
    """
    kept = {id(weight) for layer in layers(model)[:below] for weight in layer}
    for weight in model.parameters():
        weight.requires_grad_(id(weight) not in kept)
    for module in modules(model):
        own = list(module.parameters(recurse=False))
        if isinstance(module, nn.modules.batchnorm._BatchNorm) and all(
            id(weight) in kept for weight in own
        ):
            module.eval()
