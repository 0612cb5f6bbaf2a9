import torch

from mmgan_lite.checkpoints.foreign.colors import color_warning


def images_of(red, green, blue):
    """Noise about a color."""
    mean = torch.tensor([red, green, blue])[:, None, None]
    return (mean + 20 * torch.randn(16, 3, 8, 8)).clamp(0, 255).to(torch.uint8)


def test_exchanged_colors_are_told():
    text = color_warning(images_of(60, 120, 180), images_of(180, 120, 60))
    assert text.startswith('The samples are nearer to the data when red and blue are exchanged (m')
    assert text.endswith('with the other one, unless the network has not learned yet.')


def test_equal_and_gray_colors_tell_nothing():
    assert color_warning(images_of(180, 120, 60), images_of(180, 120, 60)) is None
    assert color_warning(images_of(120, 120, 124), images_of(124, 120, 120)) is None


def test_samples_that_have_not_learned_tell_nothing():
    assert color_warning(images_of(128, 128, 128), images_of(180, 120, 60)) is None
    assert color_warning(images_of(10, 250, 20), images_of(180, 120, 60)) is None
