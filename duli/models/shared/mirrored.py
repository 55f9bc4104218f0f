"""A network that answers by an image and its mirror image."""

from torch import Tensor, nn


class Mirrored(nn.Sequential):
    """Trains on the images as they are; at inference, averages the logits of an image and its
    mirror image.

    Twice the arithmetic, no extra weights. Suits objects without left and right, and a network
    trained with `train.augmentation.flip`. As in Krizhevsky, Sutskever and Hinton (NIPS 2012).
    """

    def forward(self, images: Tensor) -> Tensor:
        # Two passes instead of one over both, so that the batch dimension stays n in the graph.
        return (
            self._logits(images)
            if self.training
            else (self._logits(images) + self._logits(images.flip(3))) / 2
        )

    def _logits(self, images: Tensor) -> Tensor:
        for layer in self:
            images = layer(images)
        return images
