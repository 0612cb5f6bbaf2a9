import os
import pickle
import zipfile

import numpy as np
import pytest
import torch
from PIL import Image
from torch.utils.data import DataLoader

from mmgan_lite.datasets import PairedImageDataset
from mmgan_lite.registry import DATASETS


def save(path, value=0, size=(6, 4), mode='RGB', **kwargs):
    """An image (width, height) filled with one value."""
    path.parent.mkdir(parents=True, exist_ok=True)
    color = value if mode in ('L', 'I;16') else (value,) * len(mode)
    Image.new(mode, size, color).save(path, **kwargs)


@pytest.fixture
def folders(tmp_path):
    """Pairs (1, 101), (2, 102), (3, 103); 'b' in a sub-folder, other extensions in one."""
    for value, name in enumerate(('a', 'sub/b', 'c'), start=1):
        save(tmp_path / 'source' / f'{name}.png', value)
        save(tmp_path / 'target' / f'{name}.{"bmp" if value == 3 else "png"}', 100 + value)
    return tmp_path


@pytest.fixture
def warnings_of(monkeypatch):
    found = []
    for module in ('image_folder', 'paired'):
        monkeypatch.setattr(
            f'mmgan_lite.datasets.{module}.print_log', lambda text, *args: found.append(text)
        )
    return found


def values(dataset):
    return [tuple(int(item[name].int().max()) for name in ('source', 'target')) for item in dataset]


def test_two_folders_by_name(folders):
    cfg = dict(type='PairedImageDataset', data_root=folders, source='source', target='target')
    dataset = DATASETS.build(cfg)
    assert values(dataset) == [(1, 101), (3, 103), (2, 102)]  # files come before sub-folders
    assert [item['name'] for item in dataset] == ['a.png', 'c.png', 'sub/b.png']
    item = dataset[-1]
    assert set(item) == {'source', 'target', 'name'}
    assert (item['source'].dtype, item['source'].shape) == (torch.uint8, (3, 4, 6))
    assert item['target'].is_contiguous()
    assert values(dataset.get_subset([2, 0])) == [(2, 102), (1, 101)]


def test_two_zips(folders):
    for name in ('source', 'target'):
        with zipfile.ZipFile(folders / f'{name}.zip', 'w') as archive:
            for path in (folders / name).rglob('*.*'):
                archive.write(path, path.relative_to(folders / name))
    dataset = PairedImageDataset('', folders / 'source.zip', folders / 'target.zip')
    assert values(dataset) == [(1, 101), (3, 103), (2, 102)]


def test_missing_partners_are_counted_and_named_in_one_line(folders, warnings_of):
    save(folders / 'source' / 'x.png')
    save(folders / 'target' / 'y.png')
    save(folders / 'target' / 'z.png')
    assert len(PairedImageDataset(folders, 'source', 'target')) == 3
    assert warnings_of == [
        f"1 of 4 images in '{folders}/source' and 2 of 5 in '{folders}/target' have no partner and "
        'are left out: x.png, y.png, z.png.'
    ]


def test_an_unusable_file_without_a_partner_does_not_count(folders):
    (folders / 'target' / 'y.png').write_bytes(b'no image')
    assert len(PairedImageDataset(folders, 'source', 'target')) == 3


@pytest.mark.parametrize(('direction', 'expected'), [('a2b', (1, 2)), ('b2a', (2, 1))])
def test_pictures_of_both_images(tmp_path, direction, expected):
    pixels = np.full((4, 12, 3), 1, np.uint8)
    pixels[:, 6:] = 2
    Image.fromarray(pixels).save(tmp_path / '0.png')
    dataset = PairedImageDataset(tmp_path, direction=direction)
    assert values(dataset) == [expected]
    assert dataset[0]['source'].shape == dataset[0]['target'].shape == (3, 4, 6)
    other = 'a2b' if direction == 'b2a' else 'b2a'
    assert dataset.fingerprint() != PairedImageDataset(tmp_path, direction=other).fingerprint()


def test_halves_are_resized_by_themselves(tmp_path):
    """As if they had been cut with Pillow before; nothing of one gets into the other."""
    pixels = np.random.default_rng(0).integers(0, 256, (40, 96, 3), dtype=np.uint8)
    Image.fromarray(pixels).save(tmp_path / '0.png')
    settings = dict(image_size=(20, 24), channels='L', target_channels='RGB')
    item = PairedImageDataset(tmp_path, **settings)[0]
    for name, mode, half in (('source', 'L', pixels[:, :48]), ('target', 'RGB', pixels[:, 48:])):
        resized = Image.fromarray(half).convert(mode).resize((24, 20), Image.Resampling.LANCZOS)
        expected = np.asarray(resized).reshape(20, 24, -1).transpose(2, 0, 1)
        np.testing.assert_array_equal(item[name].numpy(), expected)


def test_halves_of_16_bits(tmp_path):
    pixels = np.full((4, 8), 1000, np.uint16)
    pixels[:, 4:] = 60000
    Image.fromarray(pixels).save(tmp_path / '0.png')
    item = PairedImageDataset(tmp_path, channels='L', image_size=2, bit_depth=16)[0]
    assert item['source'].tolist() == [[[1000] * 2] * 2]
    assert item['target'].tolist() == [[[60000] * 2] * 2]
    assert item['target'].dtype == torch.uint16


def test_pictures_of_an_odd_width(tmp_path):
    save(tmp_path / '0.png', size=(7, 4))
    save(tmp_path / '1.png', size=(8, 4))
    message = r'an odd width for 1 of 2: 0\.png of 7 pixels\. Pass source and target'
    with pytest.raises(ValueError, match=message):
        PairedImageDataset(tmp_path)


@pytest.mark.parametrize('header', ['', 'source,target\n'])
def test_table(tmp_path, header, warnings_of):
    for value, name in enumerate(('day/1.png', 'day/2.png', 'night/x.png')):
        save(tmp_path / name, value)
    rows = 'day/1.png,night/x.png\nday/2.png,night/x.png\nday/1.png,night/y.png\n'
    (tmp_path / 'pairs.csv').write_text(header + rows)
    dataset = PairedImageDataset(tmp_path, pairs='pairs.csv')
    assert values(dataset) == [(0, 2), (1, 2)]
    assert warnings_of == [
        f"1 of 3 rows of '{tmp_path}/pairs.csv' are left out, as they name files that are no "
        'images there: night/y.png.'
    ]
    below = (header + rows).replace('day/', '').replace('night/', '')
    (tmp_path / 'below.csv').write_text(below)
    assert values(PairedImageDataset(tmp_path, 'day', 'night', 'below.csv')) == [(0, 2), (1, 2)]


def test_tables_that_are_none(folders):
    (folders / 'bad.csv').write_text('a.png\n')
    with pytest.raises(ValueError, match=r"must be source,target, got 'a\.png' as row 1\. Correct"):
        PairedImageDataset(folders, pairs='bad.csv')
    (folders / 'bad.csv').write_text('a,b\n')
    with pytest.raises(ValueError, match=r'got 1 rows, none with two of them \(a\)\. Write paths'):
        PairedImageDataset(folders, pairs='bad.csv')
    with pytest.raises(FileNotFoundError, match=r"got 'no\.csv', which is no file\. Correct"):
        PairedImageDataset(folders, pairs='no.csv')


def test_each_side_has_its_channels_and_alpha_is_composited(tmp_path):
    save(tmp_path / 's' / '0.png', 7, mode='L')
    save(tmp_path / 't' / '0.png', 0, mode='RGBA')  # black and transparent
    item = PairedImageDataset(tmp_path, 's', 't', channels='L', target_channels='RGB')[0]
    assert torch.equal(item['source'], torch.full((1, 4, 6), 7, dtype=torch.uint8))
    assert torch.equal(item['target'], torch.full((3, 4, 6), 255, dtype=torch.uint8))
    item = PairedImageDataset(tmp_path, 's', 't', channels='L', target_channels='RGBA')[0]
    assert item['target'].shape == (4, 4, 6)
    assert not item['target'][3].any()


def test_random_crops_and_flips_are_the_same_for_both(tmp_path):
    """The target is the negative of the source, before as after them."""
    pixels = np.random.default_rng(0).integers(0, 256, (8, 10, 3), dtype=np.uint8)
    for name, image in (('s', pixels), ('t', 255 - pixels)):
        (tmp_path / name).mkdir()
        Image.fromarray(image).save(tmp_path / name / '0.png')
    dataset = PairedImageDataset(
        tmp_path, 's', 't', image_size=(4, 5), load_size=(8, 10), flip=True
    )
    whole = torch.from_numpy(pixels.transpose(2, 0, 1).copy())
    parts = {
        (top, left, flip): (part.flip(2) if flip else part).numpy().tobytes()
        for top in range(5)
        for left in range(6)
        for flip in (False, True)
        for part in [whole[:, top : top + 4, left : left + 5]]
    }
    seen = set()
    for _ in range(300):
        item = dataset[0]
        assert torch.equal(item['source'], 255 - item['target'])
        seen.add(item['source'].numpy().tobytes())
    assert seen <= set(parts.values())
    assert len(seen) > 55  # of 60, each missed with probability 0.6 %


def test_random_numbers_are_those_of_torch(folders):
    dataset = PairedImageDataset(folders, 'source', 'target', image_size=2, load_size=4, flip=True)

    def draw():
        torch.manual_seed(3)
        return [dataset[0]['source'] for _ in range(8)]

    assert all(map(torch.equal, draw(), draw()))


def test_pipeline_gets_both_images_as_one(folders):
    shapes = []

    def record(results):
        shapes.append((results['img'].shape, results['img_path']))
        return results

    pipeline = [record, dict(type='RandomFlip', prob=1.0), dict(type='PackImage')]
    pytest.importorskip('mmcv')
    gradient = np.arange(6, dtype=np.uint8) * np.ones((4, 1), np.uint8)
    for name in ('source', 'target'):
        Image.fromarray(gradient).save(folders / name / 'a.png')
    dataset = PairedImageDataset(folders, 'source', 'target', channels='L', pipeline=pipeline)
    for name in ('source', 'target'):
        assert dataset[0][name][0, 0].tolist() == [5, 4, 3, 2, 1, 0]
    assert shapes[0] == ((4, 6, 2), f'{folders}/source/a.png')


def test_a_pair_is_replaced_as_one(folders, warnings_of):
    (folders / 'target' / 'a.png').write_bytes(b'no image')
    with pytest.raises(ValueError, match=r'max_corrupt=0 .* got 1 of 3: a\.png \(no image\)'):
        PairedImageDataset(folders, 'source', 'target')
    dataset = PairedImageDataset(folders, 'source', 'target', max_corrupt=1)
    assert values(dataset) == [(3, 103), (3, 103), (2, 102)]
    assert dataset.corrupt_files == ['a.png']
    assert warnings_of == ['1 images are replaced by others: a.png (no image).']
    # A second one, whose header is fine.
    path = folders / 'source' / 'c.png'
    save(path, 3, size=(6, 4))
    os.truncate(path, 45)
    with pytest.raises(ValueError, match=r'got 2 \(a\.png, c\.png\)'):
        dataset[1]


def test_checksums_of_each_folder(folders):
    (folders / 'target' / 'SHA256SUMS').write_text(
        ''.join(f'{"0" * 64}  {name}\n' for name in ('a.png', 'c.bmp', 'sub/b.png'))
    )
    dataset = PairedImageDataset(folders, 'source', 'target')
    with pytest.raises(ValueError, match=r"'.*target/a\.png' must be .* sha256 0000"):
        dataset[0]


def test_fingerprint_covers_both_folders(folders):
    before = PairedImageDataset(folders, 'source', 'target').fingerprint()
    assert before['count'] == 3
    assert before == PairedImageDataset(folders, 'source', 'target').fingerprint()
    save(folders / 'target' / 'a.png', 1, size=(6, 4), mode='RGBA')
    assert before != PairedImageDataset(folders, 'source', 'target').fingerprint()


def test_batches_of_workers(folders):
    dataset = PairedImageDataset(folders, 'source', 'target', image_size=4)
    loader = DataLoader(dataset, 3, num_workers=1, collate_fn=dataset.collate_fn)
    (batch,) = loader
    assert batch['source'].shape == batch['target'].shape == (3, 3, 4, 4)
    assert batch['name'] == ['a.png', 'c.png', 'sub/b.png']
    assert values(pickle.loads(pickle.dumps(dataset))) == values(dataset)


def test_no_common_name(folders):
    save(folders / 'other' / 'x.png')
    message = (
        r"names, but for extensions, got 3 in '.*source' \(a\.png, c\.png, sub/b\.png\) and 1 in "
        r"'.*other' \(x\.png\) with none in common\. Rename them, or list them in a table"
    )
    with pytest.raises(ValueError, match=message):
        PairedImageDataset(folders, 'source', 'other')


def test_empty_and_absent_folders(folders):
    (folders / 'empty').mkdir()
    with pytest.raises(ValueError, match=r"target must hold images, got '.*empty' with 0 of them"):
        PairedImageDataset(folders, 'source', 'empty')
    with pytest.raises(FileNotFoundError, match=r"images at '.*nowhere', got nothing"):
        PairedImageDataset(folders, 'nowhere', 'target')


def test_sizes_that_differ_in_a_pair(folders):
    save(folders / 'target' / 'a.png', size=(8, 4))
    message = r'one size, got others for 1 of 3: a\.png of 4x6 for 4x8\. Resize the files, or move'
    with pytest.raises(ValueError, match=message):
        PairedImageDataset(folders, 'source', 'target', image_size=4)


def test_one_of_a_pair_is_turned_by_exif(folders):
    exif = Image.Exif()
    exif[0x0112] = 6
    save(folders / 'target' / 'a.png', exif=exif)
    with pytest.raises(ValueError, match=r'one size upright, got 4x6 and 6x4\. Turn the files'):
        PairedImageDataset(folders, 'source', 'target')[0]


def test_two_files_of_one_name(folders):
    save(folders / 'source' / 'a.jpg')
    message = r'differ in more than their extensions to make pairs, got 1 names with .*: a\. Move'
    with pytest.raises(ValueError, match=message):
        PairedImageDataset(folders, 'source', 'target')


@pytest.mark.parametrize(
    ('settings', 'message'),
    [
        (dict(source='s'), "source and target must both be given, got only 's'"),
        (dict(direction='left'), "direction must be one of 'a2b', 'b2a', got 'left'"),
        (dict(source='s', target='t', direction='b2a'), "got 'b2a'. Exchange source and target"),
        (dict(load_size=286), 'load_size must come with image_size, .* got 286 alone'),
        (dict(load_size=64, image_size=(32, 65)), r'at least image_size, got 64 for \(32, 65\)'),
    ],
)
def test_bad_arguments(settings, message):
    with pytest.raises(ValueError, match=message):
        PairedImageDataset('anywhere', **settings)


def test_every_tenth_pair_is_for_validation(tmp_path):
    for value in range(25):
        for name, added in (('source', 0), ('target', 100)):
            save(tmp_path / name / f'{value:02}.png', value + added)
    settings = dict(source='source', target='target')
    train, val = (PairedImageDataset(tmp_path, split=s, **settings) for s in ('train', 'val'))
    assert values(val) == [(9, 109), (19, 119)]
    assert values(train) == [(v, v + 100) for v in range(25) if v not in (9, 19)]
    assert train.fingerprint()['sha256'] != val.fingerprint()['sha256']


def test_a_split_of_few_pairs(folders):
    with pytest.raises(ValueError, match="fewer than 10 images, got 'val' for 3. Leave it out"):
        len(PairedImageDataset(folders, source='source', target='target', split='val'))


def test_the_same_folder_twice(folders):
    with pytest.raises(ValueError, match=r"must be two folders, got '.*source' for both"):
        PairedImageDataset(folders, 'source', 'source')


def test_emoji(repo):
    root = repo.parent / 'shared' / 'data' / 'emoji'
    if not root.is_dir():
        pytest.skip('the emoji are not in ../shared/data')
    dataset = PairedImageDataset(root, 'google', 'twitter', image_size=64, lazy_init=True)
    assert dataset.pair_shapes == ((3, 64, 64), (3, 64, 64))
    assert len(dataset) == 3400
    source, target, name = dataset[0].values()
    for image, folder in ((source, 'google'), (target, 'twitter')):
        picture = Image.open(root / folder / name).convert('RGBA')
        canvas = Image.alpha_composite(Image.new('RGBA', picture.size, 'white'), picture)
        expected = np.asarray(canvas.convert('RGB')).transpose(2, 0, 1)
        np.testing.assert_array_equal(image.numpy(), expected)
