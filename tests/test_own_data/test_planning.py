"""What is chosen for a data set, and the errors of what cannot be."""

import numpy as np
import pytest

from mmgan_lite.models import ResizeConvDiscriminator, ResizeConvGenerator
from mmgan_lite.own_data import describe, parse_budget, planning


@pytest.mark.parametrize(
    ('sides', 'device', 'expected'),
    [
        ((64, 64), 'cpu', 64),
        ((30, 45), 'cpu', 28),
        ((100, 90), 'cpu', 64),
        ((100, 90), 'cuda', 80),
        ((400, 300), 'cuda', 128),
        ((9, 9), 'cpu', 16),
    ],
)
def test_size_by_the_images(make_images, sides, device, expected):
    size, choice = planning.choose_size(describe(make_images(1, size=sides)), None, device)
    assert size == (expected, expected)
    assert choice.text == f'{expected}x{expected}'
    assert ('cropped' in choice.reason) == (sides[0] != sides[1])
    assert ('enlarged' in choice.reason) == (sides[0] < 16)
    assert ('only by --size' in choice.reason) == (min(sides) > {'cpu': 64, 'cuda': 128}[device])


@pytest.mark.parametrize(
    'given', [(8,), (28,), (32, 48), (96, 24), (40, 40), (64, 160), (128, 128)]
)
def test_networks_have_every_size_that_is_accepted(make_images, given):
    size, _ = planning.choose_size(describe(make_images(1)), given, 'cpu')
    channels = planning.Networks(size, width=2).channels
    assert ResizeConvGenerator(4, (3, *size), channels).image_shape == (3, *size)
    ResizeConvDiscriminator((3, *size), channels[::-1])


@pytest.mark.parametrize(
    ('given', 'remedy'), [((30,), '28'), ((36, 36), '32'), ((5,), '8'), ((32, 33), '32 32')]
)
def test_sizes_that_the_networks_do_not_have(make_images, given, remedy):
    message = rf'^--size must have .* got {given[0]}x{given[-1]}\. Pass --size {remedy}\.$'
    with pytest.raises(ValueError, match=message):
        planning.choose_size(describe(make_images(1)), given, 'cpu')


@pytest.mark.parametrize(
    ('mode', 'given', 'expected'),
    [('L', None, 'L'), ('RGB', None, 'RGB'), ('RGBA', None, 'RGB'), ('RGBA', 'RGBA', 'RGBA')],
)
def test_channels(make_images, mode, given, expected):
    channels, choice = planning.choose_channels(describe(make_images(2, mode=mode)), given)
    assert channels == expected
    assert ('2 with transparency are put on white' in choice.reason) == (channels < mode)


def test_classes(make_images):
    def choose(labels_from=None):
        return planning.choose_classes(describe(folder, labels_from=labels_from), labels_from)

    folder = make_images(16, folder='photos/cat').parent
    assert choose() == (None, ('none', 'all images are of one class, cat'))
    make_images(15, folder='photos/dog')
    assert choose() == (None, ('none', 'class dog has 15 images, fewer than 16'))
    (folder / 'table.csv').write_text(''.join(f'{c}/000.png,1\n' for c in ('cat', 'dog')))
    with pytest.raises(ValueError, match=r'29 images without a label .* pass --no-labels\.$'):
        choose('table.csv')
    make_images(20, folder='photos/dog')
    assert choose() == (2, ('2', '16 to 20 images each'))
    assert choose(False) == (None, ('none', '--no-labels'))
    names = [path.relative_to(folder) for path in folder.glob('*/*.png')]
    (folder / 'table.csv').write_text(''.join(f'{name},1\n' for name in names))
    with pytest.raises(ValueError, match=r'^--labels must give classes .* class 0 has 0 images'):
        choose('table.csv')


def test_no_labels_at_all(make_images):
    found = describe(make_images(1))
    reason = 'there are neither sub-folders nor a list of labels'
    assert planning.choose_classes(found, None) == (None, ('none', reason))


def test_too_few_images_and_too_many_damaged_ones(make_images):
    folder = make_images(15)
    with pytest.raises(ValueError, match='must hold at least 16 images to train on, got 15. Add'):
        planning.check_usable(describe(folder), None)
    make_images(18)
    for name in ('a', 'b'):
        (folder / f'{name}.png').write_bytes(b'no image')
    found = describe(folder)
    planning.check_usable(found, None)  # 2 of 20
    assert planning.count_replaceable(found) == 2
    (folder / 'c.png').write_bytes(b'no image')
    with pytest.raises(ValueError, match=r'at most a tenth .* got 3 of 21, such as a\.png \(no im'):
        planning.check_usable(describe(folder), None)


def test_more_than_8_bits(make_images):
    found = describe(make_images(16, mode='L', dtype=np.uint16))
    planning.check_usable(found, 'scale')
    with pytest.raises(ValueError, match=r'got 16 of 16\. Pass --bit-depth scale .*--bit-depth 16'):
        planning.check_usable(found, None)


@pytest.mark.parametrize(('num_images', 'expected'), [(3400, None), (640, None), (639, True)])
def test_augmentation_of_images_that_are_seen_often(num_images, expected):
    augmentation, choice = planning.choose_augmentation(num_images, iterations=2000)
    assert augmentation == (dict(type='DiffAugment') if expected else None)
    assert f'each of {num_images:,} images is seen about {128000 / num_images:,.0f} times' in str(
        choice
    )


@pytest.mark.parametrize(
    ('text', 'seconds'), [('90s', 90), ('5m', 300), ('2h', 7200), ('0.5h', 1800)]
)
def test_budget(text, seconds):
    assert parse_budget(text) == seconds


@pytest.mark.parametrize('text', ['', '5', 'm', '-5m', '0s', 'infh', 'nans', '5 minutes', '5M'])
def test_no_budget(text):
    with pytest.raises(ValueError, match='must be a time such as 90s, 5m or 2h, got'):
        parse_budget(text)
