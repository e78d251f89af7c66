"""PyTorch only: batch normalisation with PyTorch's own kernels.

`keras.ops` spells batch normalisation out as a dozen passes over the features, which on a CPU cost
more than the convolutions. The other backends fuse those passes when they compile.
"""

from __future__ import annotations

import keras
import torch


class TorchBatchNormalization(keras.layers.BatchNormalization):
    """`keras.layers.BatchNormalization` whose training pass is one call of PyTorch."""

    def call(self, inputs, training=None):
        if not (training and self.trainable):
            return super().call(inputs, training=training)
        variance = self.moving_variance.value.detach()
        kept = self.momentum * variance
        updated = variance.clone()
        y = torch.nn.functional.batch_norm(
            inputs.permute(0, 3, 1, 2),  # the layout of PyTorch; in memory still channels last
            self.moving_mean.value.detach(),
            updated,
            self.gamma.value,
            self.beta.value,
            training=True,
            momentum=1 - self.momentum,
            eps=self.epsilon,
        )
        # PyTorch averages n / (n - 1) times the variance that it normalises by, Keras that itself
        count = inputs.shape[0] * inputs.shape[1] * inputs.shape[2]
        variance.copy_(updated - (updated - kept) / count)
        return y.permute(0, 2, 3, 1)
