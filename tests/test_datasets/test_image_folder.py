import copy
import hashlib
import pickle
import re
import shutil
import subprocess
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from mmengine.config import Config
from mmengine.dataset import ClassBalancedDataset
from mmengine.registry import init_default_scope
from mmengine.runner import Runner
from PIL import Image

from mmgan_lite.datasets import ImageFolderDataset
from mmgan_lite.registry import DATASETS

CLASSES = ('a', 'a-b', 'dog')


def save(path, value=0, size=(6, 4), mode='RGB', **kwargs):
    """An image (width, height) filled with one value."""
    path.parent.mkdir(parents=True, exist_ok=True)
    colour = value if mode in ('L', 'I;16', 'F') else (value,) * len(mode)
    Image.new(mode, size, colour).save(path, **kwargs)


@pytest.fixture
def flat(tmp_path):
    """Five images; the order of their names is that of their values, 0, 10, ..., 40."""
    for number in (3, 0, 4, 1, 2):
        save(tmp_path / f'{number}.png', 10 * number)
    return tmp_path


@pytest.fixture
def classes(tmp_path):
    """Two images in each of three classes: 10, 11, 20, 21, 30, 31."""
    for label, name in reversed(list(enumerate(CLASSES, start=1))):
        save(tmp_path / name / 'deeper' / 'x.png', 10 * label)
        save(tmp_path / name / 'y.png', 10 * label + 1)
    return tmp_path


@pytest.fixture
def log_messages(monkeypatch):
    found = []
    for module in ('image_folder', 'image_labels'):
        monkeypatch.setattr(
            f'mmgan_lite.datasets.{module}.print_log', lambda text, *args: found.append(text)
        )
    return found


def values(dataset):
    return [int(item['inputs'].int().max()) for item in dataset]


def test_flat_folder_has_no_labels_and_is_sorted(flat):
    dataset = ImageFolderDataset(flat)
    assert values(dataset) == [0, 10, 20, 30, 40]
    assert set(dataset[0]) == {'inputs'}
    assert dataset.labels is None
    assert dataset.metainfo == {'dataset': flat.name}


def test_item_is_a_uint8_tensor_and_an_int(classes):
    item = ImageFolderDataset(classes)[-1]
    assert set(item) == {'inputs', 'labels'}
    assert item['inputs'].dtype == torch.uint8
    assert item['inputs'].shape == (3, 4, 6)
    assert item['inputs'].is_contiguous()
    assert type(item['labels']) is int
    assert item['labels'] == 2


def test_classes_are_numbered_in_the_order_of_their_names(classes):
    dataset = ImageFolderDataset(classes)
    assert dataset.metainfo == {'dataset': classes.name, 'classes': CLASSES}
    assert dataset.labels.tolist() == [0, 0, 1, 1, 2, 2]
    assert dataset.labels.dtype == torch.int64
    # 'y.png' comes before what is in 'deeper'.
    assert values(dataset) == [11, 10, 21, 20, 31, 30]


def test_torchvision_finds_the_same_images_and_labels(classes):
    from torchvision.datasets import ImageFolder

    theirs = {(Path(path), label) for path, label in ImageFolder(classes).samples}
    dataset = ImageFolderDataset(classes)
    infos = [dataset.get_data_info(index) for index in range(len(dataset))]
    assert {(Path(info['img_path']), info['gt_label']) for info in infos} == theirs


def test_formats_in_both_cases_and_what_is_left_out(tmp_path):
    for name in ('0.jpg', '1.JPEG', '2.png', '3.WebP'):
        save(tmp_path / name, 200)
    for name in ('._0.jpg', 'readme.txt', 'notes.png.txt', '.git/4.png'):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text('no image')
    dataset = ImageFolderDataset(tmp_path)
    assert values(dataset) == [200] * 4


def test_sub_folders_without_images_do_not_make_a_flat_folder_one_of_classes(flat):
    (flat / 'empty').mkdir()
    assert len(ImageFolderDataset(flat)) == 5


@pytest.mark.parametrize('mode', ['1', 'L', 'LA', 'P', 'RGB', 'RGBA', 'CMYK'])
@pytest.mark.parametrize('channels', [1, 3])
def test_any_8_bit_mode_becomes_grey_or_rgb(tmp_path, mode, channels):
    name = '0.jpg' if mode == 'CMYK' else '0.png'
    Image.new('RGB', (6, 4), (255, 255, 255)).convert(mode).save(tmp_path / name)
    image = ImageFolderDataset(tmp_path, channels=channels)[0]['inputs']
    assert torch.equal(image, torch.full((channels, 4, 6), 255, dtype=torch.uint8))


def test_colours_are_in_the_order_red_green_blue(tmp_path):
    Image.new('RGB', (2, 2), (10, 20, 30)).save(tmp_path / '0.png')
    assert ImageFolderDataset(tmp_path)[0]['inputs'][:, 0, 0].tolist() == [10, 20, 30]
    # ITU-R 601-2: 0.299 * 10 + 0.587 * 20 + 0.114 * 30 = 18.15
    assert ImageFolderDataset(tmp_path, channels=1)[0]['inputs'][:, 0, 0].tolist() == [18]


def test_exif_turns_the_image(tmp_path):
    exif = Image.Exif()
    exif[0x0112] = 6  # to be shown turned by 90 degrees clockwise
    image = np.zeros((4, 6, 3), np.uint8)
    image[0, 0] = 255  # top left, which belongs to the top right
    Image.fromarray(image).save(tmp_path / '0.png', exif=exif)
    turned = ImageFolderDataset(tmp_path)[0]['inputs']
    assert turned.shape == (3, 6, 4)
    assert turned[0].nonzero().tolist() == [[0, 3]]


def test_resized_to_cover_and_cropped_at_the_centre(tmp_path):
    # Columns of 8 pixels: 0, 50, 100, 150. Of 32x8 the middle 16x8 are 50 and 100.
    columns = np.repeat(np.array([0, 50, 100, 150], np.uint8), 8)
    Image.fromarray(np.tile(columns, (8, 1))).save(tmp_path / '0.png')
    image = ImageFolderDataset(tmp_path, image_size=(2, 4), channels=1)[0]['inputs']
    assert image.shape == (1, 2, 4)
    # Four pixels each: the outer ones of one value but for the filter's lobes, which here look
    # at most at a sixth of a step over the edge.
    assert image[0, 0].tolist() == pytest.approx([50, 50, 100, 100], abs=10)
    assert image[0, 0, 1] < 75 < image[0, 0, 2]


@pytest.mark.parametrize('size', [(4, 6), [4, 6]])
def test_image_of_the_right_size_is_not_touched(tmp_path, size):
    pixels = np.random.default_rng(0).integers(0, 256, (4, 6, 3), dtype=np.uint8)
    Image.fromarray(pixels).save(tmp_path / '0.png')
    image = ImageFolderDataset(tmp_path, image_size=size)[0]['inputs']
    np.testing.assert_array_equal(image.permute(1, 2, 0).numpy(), pixels)


@pytest.mark.parametrize('image_size', [0, -4, 2.5, (4,), (4, 4, 3), (4, 0), 'large', True])
def test_wrong_image_size(image_size):
    with pytest.raises(ValueError, match='image_size must be an int >= 1 or a pair'):
        ImageFolderDataset('anywhere', image_size=image_size)


def test_absent_folder(tmp_path):
    with pytest.raises(
        FileNotFoundError, match=r"There must be a folder or zip of images at '.*nowhere', got no"
    ):
        ImageFolderDataset(tmp_path / 'nowhere')
    lazy = ImageFolderDataset(tmp_path / 'nowhere', lazy_init=True)
    with pytest.raises(FileNotFoundError, match='nowhere'):
        len(lazy)


def test_folder_without_images(tmp_path):
    (tmp_path / 'notes.txt').write_text('')
    message = r"must hold images, got '.*' with 0 of them and other files: 1 \.txt\. Pass"
    with pytest.raises(ValueError, match=message):
        ImageFolderDataset(tmp_path)


def test_mixed_layout(classes):
    save(classes / 'stray.png')
    message = r'with 1 directly and 6 in sub-folders \(a, a-b, dog\)\. Move one or the other'
    with pytest.raises(ValueError, match=message):
        ImageFolderDataset(classes)
    dataset = ImageFolderDataset(classes, labels=False)
    assert len(dataset) == 7
    assert dataset.labels is None


def test_class_without_images(classes, log_messages):
    (classes / 'b').mkdir()
    dataset = ImageFolderDataset(classes)
    assert dataset.metainfo['classes'] == ('a', 'a-b', 'b', 'dog')
    assert dataset.labels.unique().tolist() == [0, 1, 3]
    (message,) = log_messages
    assert message.startswith('1 of 4 classes have no image (b). A conditional model')


def test_other_names_for_the_classes(classes):
    names = ['one', 'two', 'three']
    metainfo = {'dataset': 'Pets', 'classes': names}
    assert ImageFolderDataset(classes, metainfo=metainfo).metainfo == metainfo
    with pytest.raises(ValueError, match=r'must name the 3 classes of .*, got 2 names'):
        ImageFolderDataset(classes, metainfo={'classes': names[:2]})


def break_png(path):
    save(path, size=(60, 40))
    path.write_bytes(path.read_bytes()[:60])


def test_unreadable_image_is_named(flat):
    break_png(flat / '2.png')
    dataset = ImageFolderDataset(flat)
    message = r"'.*2\.png' must be a readable image, got .*Error: .*Replace the file, move it"
    with pytest.raises(ValueError, match=message):
        dataset[2]
    assert int(dataset[3]['inputs'].max()) == 30


def test_what_headers_show_is_found_before_the_training(flat, log_messages):
    """No content, text, more than 8 bits per channel, and a folder in the place of an image."""
    (flat / '0.png').write_bytes(b'')
    (flat / '1.png').write_text('text')
    save(flat / '2.png', 1000, mode='I;16')
    message = (
        r"At most max_corrupt=2 images in '.*' may be unusable, got 3 of 5: 0\.png \(no image\), "
        r'1\.png \(no image\), 2\.png \(it has 16 bits per channel\. Pass .*\)\. Replace these'
    )
    with pytest.raises(ValueError, match=message):
        ImageFolderDataset(flat, max_corrupt=2)
    dataset = ImageFolderDataset(flat, max_corrupt=3)
    assert values(dataset) == [30, 30, 30, 30, 40]
    assert dataset.corrupt_files == ['0.png', '1.png', '2.png']
    (warning,) = log_messages
    assert warning.startswith('3 images are replaced by others: 0.png (no image), 1.png (no image)')
    dataset = ImageFolderDataset(flat, max_corrupt=2, bit_depth=(0, 2000), channels='L')
    assert values(dataset) == [128, 128, 128, 30, 40]


def test_images_of_8_and_16_bits_as_16(tmp_path):
    for name, value in (('0', 0x8001), ('1', 0x8002)):
        cv2.imwrite(str(tmp_path / f'{name}.png'), np.full((4, 6, 3), value, np.uint16))
    save(tmp_path / '2.png', 128)
    dataset = ImageFolderDataset(tmp_path, bit_depth=16)
    assert [item['inputs'].dtype for item in dataset] == [torch.uint16] * 3
    assert values(dataset) == [0x8001, 0x8002, 128 * 257]
    batch = dataset.collate_fn([dataset[0], dataset[2]])['inputs']
    assert batch[:, 0, 0, 0].tolist() == [0x8001, 128 * 257]
    save(tmp_path / '3.tiff', 0, mode='F')
    with pytest.raises(ValueError, match=r'3\.tiff \(it has 32 bits per channel, whose range'):
        ImageFolderDataset(tmp_path, bit_depth=16)


def test_transforms_of_16_bits(tmp_path):
    pytest.importorskip('mmcv')
    cv2.imwrite(str(tmp_path / 'a.png'), np.array([[0x8001, 0x8002]], np.uint16))
    pipeline = [
        dict(type='RandomFlip', prob=1.0),
        dict(type='Resize', scale=(4, 2), interpolation='nearest'),
        dict(type='PackImage'),
    ]
    for channels in (1, 3):
        dataset = ImageFolderDataset(tmp_path, None, channels, pipeline=pipeline, bit_depth=16)
        expected = [[[0x8002, 0x8002, 0x8001, 0x8001]] * 2] * channels
        assert dataset[0]['inputs'].tolist() == expected


def test_an_image_that_vanishes(flat):
    dataset = ImageFolderDataset(flat, max_corrupt=1)
    (flat / '2.png').unlink()
    assert values(dataset) == [0, 10, 30, 30, 40]
    (flat / '4.png').unlink()
    with pytest.raises(ValueError, match=r'got 2 \(2\.png, 4\.png\).*FileNotFoundError'):
        dataset[4]


def test_an_image_without_permission(flat, monkeypatch):
    read = Path.open

    def refuse(path, *args, **kwargs):  # root may read everything, so the system itself would not
        if path.name == '1.png':
            raise PermissionError(13, 'Permission denied', str(path))
        return read(path, *args, **kwargs)

    monkeypatch.setattr(Path, 'open', refuse)
    with pytest.raises(ValueError, match=r'1\.png \(PermissionError: .*Permission denied'):
        ImageFolderDataset(flat)


def test_the_log_counts_what_is_left_out_animated_or_enlarged(flat, log_messages):
    for name in ('Thumbs.db', 'a.heic', 'b.heic', '.hidden.png', 'SHA256SUMS'):
        (flat / name).write_text('# no image')
    (flat / 'SHA256SUMS').unlink()
    frames = [Image.new('RGB', (40, 40), color) for color in ('red', 'blue')]
    frames[0].save(flat / 'x.gif', save_all=True, append_images=frames[1:])
    dataset = ImageFolderDataset(flat, image_size=32)
    assert len(dataset) == 6
    assert log_messages == [
        f"'{flat}': files that are no images are left out: 1 .db, 2 .heic, 1 hidden.",
        'Of 1 animated images the first frame is used.',
        '5 images are smaller than 32x32 and are enlarged.',
    ]


def test_unreadable_image_is_named_by_a_worker(flat):
    break_png(flat / '2.png')
    loader = Runner.build_dataloader(loader_config(flat, num_workers=1))
    with pytest.raises(ValueError, match=r"'.*2\.png' must be a readable image"):
        list(loader)


def test_the_next_image_is_taken_for_an_unreadable_one(flat):
    break_png(flat / '2.png')
    break_png(flat / '4.png')
    dataset = ImageFolderDataset(flat, max_corrupt=2)
    assert dataset.corrupt_files == []
    for _ in range(2):  # the second time without another attempt to read them
        assert values(dataset) == [0, 10, 30, 30, 0]  # after the last comes the first
        assert dataset.corrupt_files == ['2.png', '4.png']
    assert dataset.get_subset([0, 4]).corrupt_files == ['4.png']


def test_the_label_is_that_of_the_image_taken(classes):
    break_png(classes / 'a' / 'y.png')
    dataset = ImageFolderDataset(classes, max_corrupt=1)
    assert dataset.labels.tolist() == [0, 0, 1, 1, 2, 2]
    for item in dataset:
        assert item['labels'] == int(item['inputs'].max()) // 10 - 1


def test_one_unreadable_image_too_many(flat):
    for name in ('0', '2', '3'):
        break_png(flat / f'{name}.png')
    dataset = ImageFolderDataset(flat, max_corrupt=2)
    assert int(dataset[0]['inputs'].max()) == 10
    message = (
        r'At most max_corrupt=2 images may be unreadable, got 3 \(0\.png, 2\.png, 3\.png\)\. '
        r"The last: '.*3\.png' must be a readable image"
    )
    with pytest.raises(ValueError, match=message):
        dataset[2]


def test_no_image_that_can_be_read(flat):
    for number in range(5):
        break_png(flat / f'{number}.png')
    with pytest.raises(ValueError, match='must hold readable images, got none in'):
        ImageFolderDataset(flat, max_corrupt=5)[0]


@pytest.mark.parametrize('start', ['fork', 'spawn'])
def test_what_workers_could_not_read_is_known_to_the_process_that_trains(flat, start):
    for name in ('1', '4'):  # of the second worker and of the first
        break_png(flat / f'{name}.png')
    options = dict(num_workers=2, multiprocessing_context=start, batch_size=1)
    cfg = loader_config(flat, **options)
    cfg['dataset']['max_corrupt'] = 2
    loader = Runner.build_dataloader(cfg)
    found = [int(batch['inputs'].max()) for batch in loader]
    assert found == [0, 20, 20, 30, 0]
    assert loader.dataset.corrupt_files == ['1.png', '4.png']


def test_the_limit_is_that_of_all_workers_together(flat):
    for name in ('1', '4'):  # one in each of two workers
        break_png(flat / f'{name}.png')
    cfg = loader_config(flat, num_workers=2, batch_size=1)
    cfg['dataset']['max_corrupt'] = 1
    with pytest.raises(ValueError, match=r'got 2 \(1\.png, 4\.png\)'):
        list(Runner.build_dataloader(cfg))


@pytest.mark.parametrize('max_corrupt', [-1, 0.5, True, None])
def test_bad_max_corrupt(flat, max_corrupt):
    with pytest.raises(ValueError, match='max_corrupt must be an int >= 0, got'):
        ImageFolderDataset(flat, max_corrupt=max_corrupt)


def test_fingerprint_is_of_names_and_sizes(flat, tmp_path_factory):
    before = ImageFolderDataset(flat).fingerprint()
    lines = ''.join(f'{n}.png\0{(flat / f"{n}.png").stat().st_size}\n' for n in range(5))
    assert before == dict(
        dataset='ImageFolderDataset',
        count=5,
        sha256=hashlib.sha256(lines.encode()).hexdigest(),
    )
    assert ImageFolderDataset(flat, indices=4).fingerprint()['count'] == 4
    with (flat / '2.png').open('ab') as file:
        file.write(b'x')
    longer = ImageFolderDataset(flat).fingerprint()
    (flat / '2.png').rename(flat / '9.png')
    renamed = ImageFolderDataset(flat).fingerprint()
    assert len({found['sha256'] for found in (before, longer, renamed)}) == 3


def write_sums(folder, *others):
    """A list as ``find . -type f -exec sha256sum {} +`` writes it, with other lines after it."""
    files = sorted(path for path in folder.rglob('*') if path.is_file())
    lines = [
        f'{hashlib.sha256(path.read_bytes()).hexdigest()}  ./{path.relative_to(folder)}'
        for path in files
    ]
    (folder / 'SHA256SUMS').write_text('\n'.join([*lines, *others, '']))


def alter(path):
    """Another image of as many bytes, and a whole one."""
    size = path.stat().st_size
    save(path, 99)
    assert path.stat().st_size == size


def test_images_that_have_their_sums(classes):
    (classes / 'notes.txt').write_text('no image')  # is listed, and nobody minds
    write_sums(classes, f'{"0" * 64}  ./.hidden/z.png', f'{"0" * 64}  SHA256SUMS')
    for image_size in (None, 2):
        assert values(ImageFolderDataset(classes, image_size)) == [11, 10, 21, 20, 31, 30]


def test_an_altered_image_is_named(flat):
    write_sums(flat)
    right = hashlib.sha256((flat / '2.png').read_bytes()).hexdigest()
    alter(flat / '2.png')
    found = hashlib.sha256((flat / '2.png').read_bytes()).hexdigest()
    dataset = ImageFolderDataset(flat)
    with pytest.raises(ValueError, match='must have the sha256') as raised:
        dataset[2]
    assert str(raised.value) == (
        f"'{flat}/2.png' must be a readable image, got ValueError: it must have the sha256 "
        f'{right} in SHA256SUMS, got {found}; if it is correct, write the list with sha256sum. '
        'Replace the file, move it out of data_root, or allow for some by max_corrupt.'
    )
    assert int(dataset[3]['inputs'].max()) == 30
    (flat / 'SHA256SUMS').unlink()
    assert values(ImageFolderDataset(flat)) == [0, 10, 99, 30, 40]


def test_an_altered_image_is_passed_over_like_one_that_cannot_be_read(flat):
    write_sums(flat)
    alter(flat / '2.png')
    break_png(flat / '4.png')
    dataset = ImageFolderDataset(flat, max_corrupt=2)
    assert values(dataset) == [0, 10, 30, 30, 0]
    assert dataset.corrupt_files == ['2.png', '4.png']
    dataset = ImageFolderDataset(flat, max_corrupt=1)
    with pytest.raises(
        ValueError, match=r"got 2 \(2\.png, 4\.png\).* '.*4\.png' must be .* must have the sha"
    ):
        values(dataset)


def test_workers_know_the_sums(flat):
    write_sums(flat)
    alter(flat / '1.png')
    message = r"1\.png' must be .* must have the sha256 \w+ in SHA256SUMS"
    with pytest.raises(ValueError, match=message):
        list(Runner.build_dataloader(loader_config(flat, num_workers=1)))
    # A worker that is spawned gets the dataset as this.
    dataset = pickle.loads(pickle.dumps(ImageFolderDataset(flat)))
    with pytest.raises(ValueError, match=message):
        values(dataset)


@pytest.mark.parametrize('indices', [-3, [2, 3, 4], range(2, 5)])
def test_a_subset_has_its_own_sums(flat, indices):
    write_sums(flat)
    alter(flat / '1.png')  # is not in it
    alter(flat / '3.png')
    dataset = ImageFolderDataset(flat, indices=indices, max_corrupt=1)
    assert values(dataset) == [20, 40, 40]
    assert values(ImageFolderDataset(flat, max_corrupt=2).get_subset(indices)) == [20, 40, 40]


def test_what_the_list_does_not_name_or_names_in_vain(flat):
    write_sums(flat)
    (flat / '1.png').rename(flat / '7.png')
    (flat / '3.png').unlink()
    with pytest.raises(ValueError, match='SHA256SUMS') as raised:
        ImageFolderDataset(flat)
    assert str(raised.value) == (
        f"'{flat}/SHA256SUMS' must name the 4 images of its folder and no others, got 1 without a "
        'checksum (7.png) and 2 not there (1.png, 3.png). Write it again with sha256sum, or '
        'delete it to check none.'
    )


def test_new_images_are_counted_and_the_first_named(flat):
    write_sums(flat)
    for number in range(5, 9):
        save(flat / f'{number}.png')
    message = r'got 4 without a checksum \(5\.png, 6\.png, 7\.png, \.\.\.\)\. Write it'
    with pytest.raises(ValueError, match=message):
        ImageFolderDataset(flat)
    lazy = ImageFolderDataset(flat, lazy_init=True)
    with pytest.raises(ValueError, match=message):
        len(lazy)


def test_malformed_list(flat):
    write_sums(flat, 'by hand')
    with pytest.raises(ValueError, match=r"Line 6 of '.*SHA256SUMS' must be a sha256 .*'by hand'"):
        ImageFolderDataset(flat)


def test_fingerprint_of_listed_images_is_of_names_and_sums(flat):
    write_sums(flat)
    content = b''.join(
        b'%d.png\0' % n + hashlib.sha256((flat / f'{n}.png').read_bytes()).digest()
        for n in range(5)
    )
    before = ImageFolderDataset(flat).fingerprint()
    assert before['sha256'] == hashlib.sha256(content).hexdigest()
    alter(flat / '2.png')
    write_sums(flat)
    assert ImageFolderDataset(flat).fingerprint() != before


@pytest.mark.skipif(shutil.which('sha256sum') is None, reason='no sha256sum')
def test_the_command_of_the_docs(classes, repo):
    """The list that it makes is of all images, through links too, and sha256sum finds it right."""
    (classes / 'a' / 'linked').symlink_to(classes / 'dog')
    (command,) = re.findall(
        r'^cd data/images && (.*)$', (repo / 'docs/robustness.md').read_text(), re.M
    )
    subprocess.run(['bash', '-ec', command], cwd=classes, check=True)
    dataset = ImageFolderDataset(classes)
    assert len(values(dataset)) == 6  # each once
    alter(classes / 'dog' / 'y.png')
    with pytest.raises(ValueError, match='must have the sha256'):
        values(dataset)


@pytest.mark.parametrize(
    ('indices', 'expected'),
    [
        (2, [0, 1]),
        (-2, [3, 4]),
        (0, []),
        (100, [0, 1, 2, 3, 4]),
        ([3, 0, -1], [3, 0, 4]),
        ([2], [2]),
        (range(1, 3), [1, 2]),
        ([], []),
    ],
)
def test_indices_mean_what_they_mean_in_memory(flat, indices, expected):
    given = ImageFolderDataset(flat, indices=indices)
    subset = ImageFolderDataset(flat).get_subset(indices)
    in_place = ImageFolderDataset(flat)
    in_place.get_subset_(indices)
    for dataset in (given, subset, in_place):
        assert values(dataset) == [10 * number for number in expected]


def test_subset_keeps_labels_and_leaves_its_origin(classes):
    dataset = ImageFolderDataset(classes)
    subset = dataset.get_subset([4, 1])
    assert subset.labels.tolist() == [2, 0]
    assert [item['labels'] for item in subset] == [2, 0]
    assert len(dataset) == 6
    assert len(pickle.dumps(subset)) < len(pickle.dumps(dataset))


@pytest.mark.parametrize('index', [5, -6])
def test_index_out_of_range(flat, index):
    dataset = ImageFolderDataset(flat)
    with pytest.raises(IndexError):
        dataset[index]


def test_pickle_and_deepcopy_keep_everything(classes):
    dataset = ImageFolderDataset(classes, image_size=2, channels=1)
    for twin in (pickle.loads(pickle.dumps(dataset)), copy.deepcopy(dataset)):
        assert values(twin) == values(dataset)
        assert torch.equal(twin.labels, dataset.labels)
        assert twin.metainfo == dataset.metainfo


def test_names_beyond_ascii(tmp_path):
    save(tmp_path / 'Füchse' / 'ä 狐.png', 70)
    dataset = ImageFolderDataset(tmp_path)
    assert values(dataset) == [70]
    assert dataset.metainfo['classes'] == ('Füchse',)


def loader_config(data_root, **kwargs):
    return {
        'dataset': {'type': 'mmgan_lite.ImageFolderDataset', 'data_root': str(data_root)},
        'sampler': {'type': 'DefaultSampler', 'shuffle': False},
        'batch_size': 4,
        'collate_fn': {'type': 'mmgan_lite.image_collate'},
        **kwargs,
    }


@pytest.mark.parametrize('start', ['fork', 'spawn'])
def test_loader_with_workers(classes, start):
    options = {'num_workers': 1, 'persistent_workers': True, 'multiprocessing_context': start}
    loader = Runner.build_dataloader(loader_config(classes, **options))
    for _ in range(2):
        batches = list(loader)
        assert [tuple(batch['inputs'].shape) for batch in batches] == [(4, 3, 4, 6), (2, 3, 4, 6)]
        assert torch.cat([batch['labels'] for batch in batches]).tolist() == [0, 0, 1, 1, 2, 2]
        found = torch.cat([batch['inputs'].amax((1, 2, 3)) for batch in batches])
        assert found.tolist() == [11, 10, 21, 20, 31, 30]


def test_images_of_several_sizes_need_image_size(flat):
    save(flat / '5.png', size=(9, 9))
    config = loader_config(flat, batch_size=6)
    with pytest.raises(ValueError, match=r'must have one shape, got \(3, 4, 6\) and \(3, 9, 9\)'):
        list(Runner.build_dataloader(config))
    config['dataset']['image_size'] = 4
    (batch,) = Runner.build_dataloader(config)
    assert batch['inputs'].shape == (6, 3, 4, 4)


def test_pipeline_starts_with_the_decoded_image(classes):
    seen = []
    dataset = ImageFolderDataset(
        classes,
        image_size=4,
        pipeline=[lambda info: seen.append(info) or info, dict(type='PackImage')],
    )
    assert set(dataset[3]) == {'inputs', 'labels'}
    (info,) = seen
    image = info.pop('img')
    assert image.shape == (4, 4, 3)
    assert image.flags.writeable
    assert image.max() == 20
    assert info == {
        'img_path': str(classes / 'a-b' / 'deeper' / 'x.png'),
        'img_shape': (4, 4),
        'ori_shape': (4, 4),
        'gt_label': 1,
        'sample_idx': 3,
    }


def test_pipeline_of_mmcv(flat):
    pytest.importorskip('mmcv.transforms')
    pipeline = [
        dict(type='Resize', scale=(8, 4)),
        dict(type='RandomFlip', prob=0.5),
        dict(type='PackImage'),
    ]
    dataset = ImageFolderDataset(flat, channels=1, pipeline=pipeline)
    assert dataset[4]['inputs'].shape == (1, 4, 8)
    assert values(dataset) == [0, 10, 20, 30, 40]


def test_pipeline_that_loads_the_image_again(flat):
    pytest.importorskip('mmcv.transforms')
    pipeline = [dict(type='LoadImageFromFile'), dict(type='PackImage')]
    with pytest.raises(ValueError, match='take LoadImageFromFile out'):
        ImageFolderDataset(flat, pipeline=pipeline)


def test_pipeline_without_an_end(flat):
    dataset = ImageFolderDataset(flat, pipeline=[lambda info: info])
    with pytest.raises(ValueError, match=r"Append dict\(type='PackImage'\) to it"):
        dataset[0]


def test_class_balanced_wrapper_repeats_the_rare_class(tmp_path):
    # Frequencies 3/4 and 1/4 at threshold 3/4: factors 1 and ceil(sqrt(3)) = 2.
    for number in range(3):
        save(tmp_path / 'many' / f'{number}.png')
    save(tmp_path / 'rare' / '0.png')
    balanced = ClassBalancedDataset(ImageFolderDataset(tmp_path), oversample_thr=0.75)
    assert [balanced[i]['labels'] for i in range(len(balanced))] == [0, 0, 0, 1, 1]


def test_class_balance_without_labels(flat):
    with pytest.raises(ValueError, match=r'got ImageFolderDataset without any.* put the images of'):
        ImageFolderDataset(flat).get_cat_ids(0)


def test_misspelt_argument_is_answered_with_the_nearest():
    with pytest.raises(TypeError, match="Did you mean 'image_size'?"):
        DATASETS.build({'type': 'ImageFolderDataset', 'data_root': 'x', 'img_size': 4})


def test_base_config(repo, flat):
    init_default_scope('mmgan_lite')
    cfg = Config.fromfile(repo / 'configs' / '_base_' / 'datasets' / 'image_folder_64x64.py')
    cfg.train_dataloader.dataset.data_root = str(flat)
    cfg.train_dataloader.num_workers = 1
    batch = next(iter(Runner.build_dataloader(cfg.train_dataloader)))
    assert set(batch) == {'inputs'}
    assert batch['inputs'].shape == (64, 3, 64, 64)
