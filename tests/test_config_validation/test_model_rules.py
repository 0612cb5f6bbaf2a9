"""What building a model refuses, without memory for it."""

import pytest
import torch
from torch import nn


@pytest.mark.parametrize(
    ('settings', 'place', 'expected'),
    [
        ({'model': None}, 'model', 'is missing, and Runner needs it.'),
        ({'model': 'GAN'}, 'model', "must be Module or dict, got 'GAN'."),
        ({'model.loss': ...}, 'model.loss', 'is missing, and GAN needs it.'),
        ({'model.generator.latent_dim': 0}, 'model.generator', 'latent_dim must be an int of'),
        ({'model.generator.image_shape': (28, 28)}, 'model.generator', 'got (28, 28)'),
        ({'model.regularizers': [dict(type='R1Regularizer', weight=-1)]},
         'model.regularizers[0]', 'weight must be a finite number'),
        ({'model.discriminator.image_shape': (3, 28, 28)}, 'model', 'image_shape of generator and'),
        ({'model.generator.num_classes': 10}, 'model', 'num_classes of generator and'),
        ({'model.auxiliary_loss': dict(type='AuxiliaryClassifierLoss')},
         'model', 'auxiliary_loss needs a discriminator that tells classes'),
        ({'model.data_preprocessor': dict(type='BaseDataPreprocessor')}, 'model', 'to_uint8'),
        ({'data_preprocessor': dict(type='BaseDataPreprocessor')}, 'model', 'to_uint8'),
        ({'model.ema.momentum': 1.5}, 'model', 'momentum must lie in (0, 1), got 1.5.'),
    ],
)  # fmt: skip
def test_mistakes_are_named_where_they_are(mistakes, settings, place, expected):
    found = mistakes(settings)
    assert list(found) == [place]
    assert expected in found[place]


def test_each_part_tells_its_own(mistakes):
    found = mistakes({'model.generator.latent_dim': 0, 'model.discriminator.hidden_dims': ()})
    assert list(found) == ['model.generator', 'model.discriminator']


def test_large_networks_take_no_memory(mistakes):
    """8 GB in float32, and seconds to fill with numbers."""
    assert mistakes({'model.generator.hidden_dims': (2**15, 2**16)}) == {}


def test_a_part_may_look_at_values(mistakes):
    """On the meta device there are none, and that is no mistake of the part."""

    class LooksAtValues(nn.Flatten):
        def __init__(self, rate=0.1):
            super().__init__()
            if rate < 0:
                raise ValueError('rate must be at least 0.')
            self.rates = [value.item() for value in torch.linspace(0, rate, 3)]

    assert mistakes({'model.augmentation': dict(type=LooksAtValues)}) == {}
    found = mistakes({'model.augmentation': dict(type=LooksAtValues, rate=-1)})
    assert 'rate must be at least 0.' in found['model.augmentation']
