"""Data loaders of old configs."""

from collections.abc import Callable
from typing import Any

from mmgan_lite.config_migration.reading import Table
from mmgan_lite.config_migration.section import Section

Settings = dict[str, Any]


class Pipeline:
    """What the steps of a pipeline do to the images: size, crop, flip, channels.

    Args:
        section: Of the dataset.
    """

    def __init__(self, section: Section) -> None:
        self.resize: int | tuple[int, int] | None = None
        self.crop: int | tuple[int, int] | None = None
        self.flip, self.channels = False, 3
        self.domains: dict[str, Any] = {}
        for step in section.sections('pipeline'):
            self._read(step)

    @property
    def image_size(self) -> int | tuple[int, int] | None:
        """Sides of an image at the end."""
        return self.crop or self.resize

    def _read(self, step: Section) -> None:
        kind = str(step.take('type')).rpartition('.')[2]
        if kind in ('Resize', 'Crop', 'FixedCrop', 'RandomCrop', 'CenterCrop'):
            size = _size(step.take('scale') or step.take('crop_size'))
            if kind == 'Resize':
                self.resize = size
            else:
                self.crop = size
        elif kind in ('Flip', 'RandomFlip'):
            self.flip = True
            if step.take('direction', 'horizontal') != 'horizontal':
                step.list_('direction', 'ours exchanges left and right')
        elif kind == 'TransformBroadcaster':
            for inner in step.sections('transforms'):
                self._read(inner)
        elif kind.startswith('Load'):
            gray = 'grayscale' in (step.take('flag'), step.take('color_type'))
            self.channels = 1 if gray else self.channels
            self.domains |= {key: step.take(key) for key in ('domain_a', 'domain_b') if key in step}
        elif kind == 'NumpyPad':
            step.list_('type', 'pad the images before')
        # The rest scales to [-1, 1] and makes tensors, as ours does without it.
        step.ignore(*step.table)


def _size(value: Any) -> int | tuple[int, int] | None:
    """Height and width; there width and height."""
    if not isinstance(value, list | tuple):
        return value
    width, height = value
    return width if width == height else (height, width)


def _folder(section: Section, shape: tuple[int, int, int], labels: bool = False) -> Settings:
    pipeline = Pipeline(section)
    channels = shape[0] if shape[0] != 3 else pipeline.channels
    dataset: Settings = dict(
        type='ImageFolderDataset',
        data_root=_root(section),
        image_size=pipeline.resize or shape[1],
        labels=labels,
    )
    dataset |= dict(channels=channels) if channels != 3 else {}
    steps = []
    if pipeline.crop or pipeline.flip:
        crop = dict(crop_size=pipeline.crop) if pipeline.crop else {}
        steps = [
            dict(type='RandomCropFlip', **crop, flip=pipeline.flip),
            dict(type='PackImage'),
        ]
    return dataset | (dict(pipeline=steps) if steps else {})


def _root(section: Section) -> str:
    roots = section.take('imgs_roots') or section.take('data_roots', {})
    names = ('data_root', 'imgs_root', 'dataroot', 'data_prefix')
    found = [section.take(name) for name in names] + list(roots.values())[-1:]
    found = [str(root) for root in found if root]
    if not found:
        section.report.add(
            section.place, f'{section.path}.data_root', "it is not there: 'data/images' is taken"
        )
    return found[0] if found else 'data/images'


def _cifar(section: Section, shape: tuple[int, int, int]) -> Settings:
    pipeline = Pipeline(section)
    split = 'test' if section.take('test_mode', False) else 'train'
    dataset: Settings = dict(type='CIFAR10Dataset', data_root='data', split=split)
    root = _root(section)
    if not root.rstrip('/').endswith(('cifar10', 'cifar-10-batches-py')):
        dataset['data_root'] = root
    if pipeline.flip:
        flip = dict(type='RandomCropFlip', flip=True)
        dataset['pipeline'] = [flip, dict(type='PackImage')]
    return dataset


def _classes(section: Section, shape: tuple[int, int, int]) -> Settings:
    section.leave('the folders are the classes', 'ann_file')
    return _folder(section, shape, labels=True)


def _paired(section: Section, _shape: tuple[int, int, int]) -> Settings:
    pipeline = Pipeline(section)
    section.ignore('domain_a', 'domain_b')
    part = 'test' if section.take('test_mode', False) else 'train'
    return dict(
        type='PairedImageDataset',
        data_root=f'{_root(section)}/{part}',
        **_translated_sizes(pipeline),
        domains=pipeline.domains,
    )


def _translated_sizes(pipeline: Pipeline) -> Settings:
    settings: Settings = dict(image_size=pipeline.image_size)
    if pipeline.crop and pipeline.resize:
        settings['load_size'] = pipeline.resize
    return settings | (dict(flip=True) if pipeline.flip else {})


def _unpaired(section: Section, _shape: tuple[int, int, int]) -> Settings:
    pipeline = Pipeline(section)
    section.ignore('domain_a', 'domain_b')
    test = section.take('test_mode', False)
    part = 'test' if test else 'train'
    return dict(
        type='UnpairedImageDataset',
        data_root=_root(section),
        source=f'{part}A',
        target=f'{part}B',
        **_translated_sizes(pipeline),
        **(dict(test_mode=True) if test else {}),
    )


_DATASETS: dict[str, Callable[[Section, tuple[int, int, int]], Settings]] = dict(
    UnconditionalImageDataset=_folder,
    BasicImageDataset=_folder,
    GrowScaleImgDataset=_folder,
    CIFAR10=_cifar,
    ImageNet=_classes,
    PairedImageDataset=_paired,
    UnpairedImageDataset=_unpaired,
)


def migrate_dataset(section: Section, shape: tuple[int, int, int], target: Any = None) -> Settings:
    """Our dataset.

    Args:
        section: The old one.
        shape: Of the model's images.
        target: Domain that a translation gives.
    """
    kind = str(section.take('type', '')).rpartition('.')[2]
    if kind == 'RepeatDataset':
        section.ignore('times')
        return migrate_dataset(section.section('dataset'), shape, target)
    section.ignore('len_per_stage', 'lazy_init')
    if kind not in _DATASETS:
        section.report.add(
            section.place, f'{section.path}.type = {kind!r}', 'ours is ImageFolderDataset'
        )
        kind = 'UnconditionalImageDataset'
    dataset = _DATASETS[kind](section, shape)
    domains = dataset.pop('domains', {})
    if dataset['type'] == 'PairedImageDataset':
        dataset['direction'] = 'b2a' if target and target == domains.get('domain_a') else 'a2b'
    return dataset


def migrate_loader(
    config: Section, name: str, shape: tuple[int, int, int], target: Any = None
) -> Settings | None:
    """A data loader of ours, from ``data`` of older configs or the loader of newer ones.

    Args:
        config: The whole old config.
        name: 'train', 'val' or 'test'.
        shape: Of the model's images.
        target: Domain that a translation gives.

    Returns:
        None where the old config has none.
    """
    training = name == 'train'
    loader = config.section(f'{name}_dataloader')
    size, workers = loader.take('batch_size'), loader.take('num_workers')
    loader.ignore('sampler', 'persistent_workers', 'pin_memory', 'collate_fn', 'drop_last')
    dataset = loader.section('dataset')
    if not dataset.table:
        return None
    if size is None:
        size = 32
        loader.report.add(
            loader.place, f'{loader.path}.batch_size', 'it is not there, and 32 is taken'
        )
    workers = 2 if workers is None else workers
    sampler = dict(type='InfiniteSampler' if training else 'DefaultSampler', shuffle=training)
    settings = dict(batch_size=size, num_workers=workers, sampler=sampler)
    if workers and training:
        settings |= dict(persistent_workers=True, pin_memory=True)
    sizes = dataset.take('gpu_samples_per_scale'), dataset.take('gpu_samples_base', size)
    settings |= dict(sizes=sizes) if training and sizes[0] else {}
    return settings | dict(dataset=migrate_dataset(dataset, shape, target))


def growing_batches(
    sizes: tuple[dict[str, int], int] | None, growth: Settings, side: int
) -> Settings:
    """Batches of a network that grows: by the size of the images there, and of all others."""
    if sizes is None:
        return {}
    per_scale, others = sizes
    stages = (side // 4).bit_length()
    batches = tuple(per_scale.get(str(4 << stage), others) for stage in range(stages))
    sampler = dict(type='GrowingBatchSampler', batch_sizes=batches, growth=growth)
    return dict(batch_size=batches[0], batch_sampler=sampler)


def without_flips(dataset: Settings) -> Settings:
    """A dataset of real images to compare with: none of them changed at random."""
    flips = ('flip', 'load_size')
    kept = {key: value for key, value in dataset.items() if key not in flips}
    steps = [step for step in kept.pop('pipeline', []) if step.get('type') != 'RandomCropFlip']
    return kept | (dict(pipeline=steps) if len(steps) > 1 else {})


def split_data(table: Table) -> None:
    """Make of ``data`` of older configs the data loaders of newer ones, in place."""
    data = table.pop('data', None)
    if not isinstance(data, Table):
        return
    shared = {
        'batch_size': ('samples_per_gpu', 'train_dataloader'),
        'num_workers': ('workers_per_gpu', 'train_dataloader'),
    }
    for name in ('train', 'val', 'test'):
        dataset = data.get(name)
        if not isinstance(dataset, Table):
            continue
        loader = Table()
        for new, (old, inner) in shared.items():
            for owner in (data.get(inner), data):
                if isinstance(owner, Table) and owner.get(old) is not None and new not in loader:
                    loader.put(new, owner[old], owner.places[old])
        loader.put('dataset', dataset, data.places[name])
        table.put(f'{name}_dataloader', loader, data.places[name])
