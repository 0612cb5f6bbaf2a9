"""A model has an interface if it has its attributes, whatever its class."""

from mmengine.dataset import BaseDataset
from mmengine.model import BaseDataPreprocessor
from torch import nn

from mmgan_lite.models import GAN, ResNetTranslator, UNetTranslator
from mmgan_lite.utils.interfaces import (
    FitsSizes,
    HasBitDepth,
    HasProbe,
    SamplesImages,
    metainfo_of,
    unwrap_model,
)


def build_gan():
    return GAN(
        generator=dict(type='MLPGenerator', latent_dim=2, image_shape=(1, 4, 4)),
        discriminator=dict(type='MLPDiscriminator', image_shape=(1, 4, 4)),
        loss=dict(type='NonSaturatingGANLoss'),
    )


def test_gan_has_the_interfaces_and_a_layer_has_none():
    for interface in (SamplesImages, HasProbe):
        assert isinstance(build_gan(), interface)
        assert not isinstance(nn.Linear(1, 1), interface)


def test_networks_from_images_to_images_know_their_sizes():
    for network in (ResNetTranslator(base_channels=2), UNetTranslator(base_channels=2)):
        assert isinstance(network, FitsSizes)
    assert not isinstance(nn.Conv2d(3, 3, 1), FitsSizes)


def test_a_data_preprocessor_knows_its_bits():
    assert isinstance(build_gan().data_preprocessor, HasBitDepth)
    assert not isinstance(BaseDataPreprocessor(), HasBitDepth)


def test_only_a_wrapper_is_unwrapped():
    network = nn.Sequential()
    network.module = nn.Linear(1, 1)  # an attribute of that name does not make it a wrapper
    assert unwrap_model(network) is network
    wrapped = nn.DataParallel(nn.Linear(1, 1))
    assert unwrap_model(wrapped) is wrapped.module


def test_description_of_a_data_set():
    assert metainfo_of([]) == metainfo_of(None) == {}
    assert metainfo_of(BaseDataset(metainfo=dict(split='a'), lazy_init=True)) == dict(split='a')
