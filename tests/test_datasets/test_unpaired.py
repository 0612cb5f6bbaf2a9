import pytest
import torch
from PIL import Image

from mmgan_lite.datasets import UnpairedImageDataset
from mmgan_lite.registry import DATASETS


@pytest.fixture
def folders(tmp_path):
    """Sources 1, 2, 3 and targets 101 to 105."""
    for name, first, count in (('a', 1, 3), ('b', 101, 5)):
        (tmp_path / name).mkdir()
        for value in range(first, first + count):
            Image.new('RGB', (6, 4), (value,) * 3).save(tmp_path / name / f'{value}.png')
    return tmp_path


def values(dataset):
    return [tuple(int(item[name].int().max()) for name in ('source', 'target')) for item in dataset]


def test_length_is_that_of_the_larger_folder(folders):
    cfg = dict(type='UnpairedImageDataset', data_root=folders, source='a', target='b')
    dataset = DATASETS.build({**cfg, 'test_mode': True})
    assert values(dataset) == [(1, 101), (2, 102), (3, 103), (1, 104), (2, 105)]
    assert set(dataset[0]) == {'source', 'target'}
    assert dataset[-1]['source'].shape == (3, 4, 6)
    swapped = UnpairedImageDataset(folders, 'b', 'a', test_mode=True)
    assert values(swapped) == [(101, 1), (102, 2), (103, 3), (104, 1), (105, 2)]


def test_targets_are_drawn_from_the_random_numbers_of_torch(folders):
    dataset = UnpairedImageDataset(folders, 'a', 'b')

    def draw():
        torch.manual_seed(3)
        return [pair for _ in range(40) for pair in values(dataset)]

    drawn = draw()
    assert drawn == draw()
    assert [source for source, _ in drawn[:5]] == [1, 2, 3, 1, 2]
    # Each source with each target; of 40 draws one is missed with probability 0.01 %.
    assert set(drawn) == {(s, t) for s in (1, 2, 3) for t in range(101, 106)}


def test_every_tenth_image_of_each_folder_is_for_validation(tmp_path):
    for name, first, count in (('a', 1, 21), ('b', 101, 33)):
        (tmp_path / name).mkdir()
        for value in range(first, first + count):
            Image.new('L', (6, 4), value).save(tmp_path / name / f'{value:03}.png')
    train, val = (
        UnpairedImageDataset(tmp_path, 'a', 'b', split=split, test_mode=True)
        for split in ('train', 'val')
    )
    assert values(val) == [(10, 110), (20, 120), (10, 130)]
    assert len(train) == 30
    assert not {10, 20} & {source for source, _ in values(train)}
    assert not {110, 120, 130} & {target for _, target in values(train)}


def test_images_are_augmented_independently(folders):
    for name in 'ab':
        for path in (folders / name).iterdir():
            Image.frombytes('L', (6, 4), bytes(range(6)) * 4).save(path)
    settings = dict(channels='L', image_size=(4, 2), load_size=(4, 6), flip=True)
    dataset = UnpairedImageDataset(folders, 'a', 'b', **settings)
    rows = [tuple(tuple(item[n][0, 0].tolist()) for n in ('source', 'target')) for item in dataset]
    assert dataset[0]['source'].shape == (1, 4, 2)
    assert any(source != target for source, target in rows)
    assert all(abs(row[0] - row[1]) == 1 for pair in rows for row in pair)


def test_subset_keeps_images_of_both_folders(folders):
    dataset = UnpairedImageDataset(folders, 'a', 'b', test_mode=True)
    assert values(dataset.get_subset(2)) == [(1, 101), (2, 102)]
    assert values(dataset.get_subset([4, 0])) == [(2, 105), (1, 101)]
    assert len(dataset) == 5
    assert values(UnpairedImageDataset(folders, 'a', 'b', test_mode=True, indices=-1)) == [(2, 105)]


def test_each_side_has_its_channels(folders):
    dataset = UnpairedImageDataset(folders, 'a', 'b', image_size=4, channels=1, target_channels=3)
    assert dataset.pair_shapes == ((1, 4, 4), (3, 4, 4))
    assert tuple(tuple(image.shape) for image in dataset[0].values()) == dataset.pair_shapes


def test_unusable_images_of_each_folder(folders):
    for name in ('a/2.png', 'b/103.png'):
        (folders / name).write_bytes(b'no image')
    with pytest.raises(ValueError, match=r"max_corrupt=0 images in '.*a' may be unusable, got 1"):
        UnpairedImageDataset(folders, 'a', 'b')
    dataset = UnpairedImageDataset(folders, 'a', 'b', max_corrupt=1, test_mode=True)
    assert values(dataset) == [(1, 101), (3, 102), (3, 104), (1, 104), (3, 105)]
    assert dataset.corrupt_files == ['a/2.png', 'b/103.png']


def test_fingerprint_covers_both_folders_in_their_order(folders):
    before = UnpairedImageDataset(folders, 'a', 'b').fingerprint()
    assert before['count'] == 5
    assert before != UnpairedImageDataset(folders, 'b', 'a').fingerprint()
    (folders / 'b' / '105.png').rename(folders / 'b' / '106.png')
    assert before != UnpairedImageDataset(folders, 'a', 'b').fingerprint()


def test_the_same_folder_twice(folders):
    (folders / 'link').symlink_to(folders / 'a')
    with pytest.raises(ValueError, match=r"must be two folders, got '.*a' for both\. Pass another"):
        UnpairedImageDataset(folders, 'a', 'link')


def test_empty_and_absent_folders(folders):
    (folders / 'empty').mkdir()
    with pytest.raises(ValueError, match=r"must hold images, got '.*empty' with 0 of them"):
        UnpairedImageDataset(folders, 'a', 'empty')
    lazy = UnpairedImageDataset(folders, 'nowhere', 'b', lazy_init=True)
    with pytest.raises(FileNotFoundError, match=r"images at '.*nowhere', got nothing"):
        len(lazy)
