"""A small convolutional generator for images whose sides are multiples of four."""

from torch import nn

from mmgan_lite.registry import MODELS


@MODELS.register_module()
class UpsamplingGenerator(nn.Module):
    """Projects latents to a quarter of the image size, then upsamples twice by a factor of two."""

    def __init__(self, latent_dim=64, image_shape=(1, 28, 28), channels=32):
        super().__init__()
        self.latent_dim = latent_dim
        self.image_shape = tuple(image_shape)
        self.num_classes = None  # no labels
        out_channels, height, width = self.image_shape
        if height % 4 or width % 4:
            raise ValueError(
                f'image_shape must have sides that are multiples of 4, got {self.image_shape}. '
                'Pass image_shape=(1, 28, 28), or resize the images in the dataset.'
            )
        self.layers = nn.Sequential(
            nn.Linear(latent_dim, channels * (height // 4) * (width // 4)),
            nn.Unflatten(1, (channels, height // 4, width // 4)),
            *self._upsample(channels),
            *self._upsample(channels),
            nn.Conv2d(channels, out_channels, 3, padding=1),
            nn.Tanh(),
        )

    @staticmethod
    def _upsample(channels):
        convolution = nn.Conv2d(channels, channels, 3, padding=1)
        return nn.Upsample(scale_factor=2), convolution, nn.BatchNorm2d(channels), nn.ReLU()

    def forward(self, latents, labels=None):
        """Float ``(N, *image_shape)`` in [-1, 1] from float ``(N, latent_dim)``."""
        return self.layers(latents)
