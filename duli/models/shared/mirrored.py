"""A network that answers by an image and its mirror image."""

from torch import Tensor, nn


class Mirrored(nn.Sequential):
    """Layers that learn from the images as they come; in use, the logits are the mean of an image's
    and its mirror image's.

    For twice the arithmetic, and no weight more. Of things that have no left and right, and best of
    a network that has seen both in training (`train.augmentation.flip`). As Krizhevsky, Sutskever
    and Hinton did it (NIPS 2012).
    """

    def forward(self, images: Tensor) -> Tensor:
        # Two passes instead of one over both: so that what is n long stays n long for all who look
        # into the graph.
        return (
            self._logits(images)
            if self.training
            else (self._logits(images) + self._logits(images.flip(3))) / 2
        )

    def _logits(self, images: Tensor) -> Tensor:
        for layer in self:
            images = layer(images)
        return images
