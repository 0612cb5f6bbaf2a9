"""Data loaders, data sets and evaluators."""

import pytest
from mmengine.dataset import BaseDataset
from mmengine.evaluator import BaseMetric

import mmgan_lite
from mmgan_lite.datasets import DownloadedDataset
from mmgan_lite.registry import DATASETS, METRICS

LOADER, EVALUATOR = 'train_dataloader', 'val_evaluator'


@pytest.mark.parametrize(
    ('settings', 'place', 'expected'),
    [
        ({LOADER: {}}, f'{LOADER}.dataset', 'is missing, and DataLoader needs it.'),
        ({f'{LOADER}.sampler': ...}, f'{LOADER}.sampler', 'is missing'),
        ({f'{LOADER}.batch_size': ...}, f'{LOADER}.batch_size', 'and the data loader needs it.'),
        ({f'{LOADER}.num_workers': -1}, LOADER, 'num_workers option should be non-negative'),
        ({f'{LOADER}.persistent_workers': True}, LOADER, 'needs num_workers > 0'),
        ({f'{LOADER}.persistent_workers': 'yes'}, f'{LOADER}.persistent_workers', 'must be bool'),
        ({f'{LOADER}.prefetch_factor': 2}, LOADER, 'prefetch_factor'),
        ({f'{LOADER}.batch_size': 0}, LOADER, 'batch_size=0'),
        ({f'{LOADER}.batch_size': '64'}, f'{LOADER}.batch_size', "must be int | None, got '64'."),
        ({f'{LOADER}.shuffle': True}, LOADER, 'sampler option is mutually exclusive with shuffle'),
        ({f'{LOADER}.sampler.type': 'InfiniteSample'}, f'{LOADER}.sampler.type', 'Sampler\'?'),
        ({f'{LOADER}.sampler.shufle': True}, f'{LOADER}.sampler.shufle', "Did you mean 'shuffle'?"),
        ({f'{LOADER}.sampler': 'InfiniteSampler'}, f'{LOADER}.sampler', 'must be a dict with type'),
        ({f'{LOADER}.colate_fn': None}, f'{LOADER}.colate_fn', "Did you mean 'collate_fn'?"),
        ({f'{LOADER}.collate_fn': 'image_collate'}, f'{LOADER}.collate_fn', 'must be a dict with'),
        ({f'{LOADER}.collate_fn': dict(type='image_colate')},
         f'{LOADER}.collate_fn.type', "Did you mean 'image_collate'?"),
        ({f'{LOADER}.worker_init_fn': dict(type='mmengine.dataset.worker_init_fn')},
         f'{LOADER}.worker_init_fn.rank', 'is missing'),
        ({f'{LOADER}.batch_sampler': dict(type='BatchSamplr')},
         f'{LOADER}.batch_sampler.type', 'is not registered as a data sampler'),
        ({f'{LOADER}.dataset': [dict(type='DigitsDataset')]}, f'{LOADER}.dataset', 'must be dict'),
        ({f'{LOADER}.dataset.image_sise': 28}, f'{LOADER}.dataset.image_sise', "'image_size'?"),
        ({f'{LOADER}.dataset.image_size': 4}, f'{LOADER}.dataset', 'image_size must be'),
        ({f'{LOADER}.dataset': dict(type='MNISTDataset', split='training')},
         f'{LOADER}.dataset', "split must be 'train' or 'test', got 'training'."),
        ({f'{LOADER}.dataset': dict(type='RepeatDataset', times=2, dataset=dict(type='Digits'))},
         f'{LOADER}.dataset.dataset.type', "Did you mean 'DigitsDataset'?"),
        ({'val_dataloader.sampler': dict(type='InfiniteSampler')},
         'val_dataloader.sampler.type', 'must end here, got InfiniteSampler'),
        ({'train_cfg': dict(by_epoch=True, max_epochs=2), 'param_scheduler': []},
         f'{LOADER}.sampler.type', 'must end here, got InfiniteSampler'),
        ({'val_dataloader.sampler': dict(type='SpreadSampler', num_samples=0)},
         'val_dataloader', 'num_samples must be an int of at least 1'),
        ({EVALUATOR: 'FrechetDistance'}, EVALUATOR, 'must be'),
        ({f'{EVALUATOR}.train_dataset': 'MNIST'},
         f'{EVALUATOR}.train_dataset', "must be a dict with type='...', got 'MNIST'."),
        ({EVALUATOR: dict(typ='GANEvaluator')}, f'{EVALUATOR}.type', 'is missing. Add'),
        ({f'{EVALUATOR}.type': ...}, f'{EVALUATOR}.type', "is missing. Add type='GANEvaluator'."),
        ({f'{EVALUATOR}.extractr': dict(type='MNISTClassifier')},
         f'{EVALUATOR}.extractr', "Did you mean 'extractor'?"),
        ({f'{EVALUATOR}.extractor.type': 'MNISTClasifier'},
         f'{EVALUATOR}.extractor.type', "Did you mean 'MNISTClassifier'?"),
        ({f'{EVALUATOR}.extractor': ...}, EVALUATOR, 'needs extractor, got None. Add extractor='),
        ({f'{EVALUATOR}.num_samples': '1000'}, f'{EVALUATOR}.num_samples', 'must be int | None'),
        ({f'{EVALUATOR}.metrics': ...}, f'{EVALUATOR}.metrics', 'is missing'),
        ({f'{EVALUATOR}.metrics': [dict(type='FrechetDistanse')]},
         f'{EVALUATOR}.metrics[0].type', "Did you mean 'FrechetDistance'?"),
        ({f'{EVALUATOR}.metrics': [dict(type='PrecisionRecall', neighbor=3)]},
         f'{EVALUATOR}.metrics[0].neighbor', "Did you mean 'neighbors'?"),
        ({f'{EVALUATOR}.metrics': [dict(type='Memorization')]},
         EVALUATOR, 'Memorization needs train_dataset'),
        ({EVALUATOR: dict(type='FrechetDistance')}, EVALUATOR, 'in the list of a GANEvaluator'),
        ({EVALUATOR: [dict(type='ModeCoverage')]}, f'{EVALUATOR}[0]', 'list of a GANEvaluator'),
        ({EVALUATOR: dict(metrics=[dict(type='ModeCoverage')])},
         f'{EVALUATOR}.metrics[0]', 'in the list of a GANEvaluator'),
        ({EVALUATOR: [dict(type='DumpResults')]}, f'{EVALUATOR}[0].out_file_path', 'is missing'),
        ({EVALUATOR: dict(type='DumpResults')}, f'{EVALUATOR}.out_file_path', 'is missing'),
    ],
)  # fmt: skip
def test_errors_are_named_where_they_are(mistakes, settings, place, expected):
    found = mistakes(settings)
    assert place in found
    assert expected in found[place]


DIGITS = dict(type='DigitsDataset', image_size=28)
PAIRS = dict(type='PairedImageDataset', data_root='x')
IN_ORDER = dict(type='DefaultSampler', shuffle=True)


@pytest.mark.parametrize(
    'settings',
    [
        {f'{LOADER}.sampler': IN_ORDER, f'{LOADER}.num_batch_per_epoch': 2},
        {f'{LOADER}.sampler': dict(type='InfiniteSampler', shuffle=True, seed=3)},
        {f'{LOADER}.num_workers': 1, f'{LOADER}.persistent_workers': True,
         f'{LOADER}.worker_init_fn': dict(type='mmengine.dataset.worker_init_fn',
                                          num_workers=1, rank=0, seed=0)},
        {f'{LOADER}.collate_fn': dict(type='mmgan_lite.image_collate')},
        {f'{LOADER}.collate_fn': dict(_delete_=True, type='default_collate')},
        {f'{LOADER}.dataset': dict(type='ConcatDataset', datasets=[DIGITS, DIGITS])},
        {f'{LOADER}.dataset': dict(type='RepeatDataset', dataset=DIGITS, times=2)},
        {'train_cfg': dict(type='EpochBasedTrainLoop', max_epochs=1), f'{LOADER}.sampler': IN_ORDER,
         'param_scheduler': []},
        {EVALUATOR: dict(type='DumpResults', out_file_path='x.pkl')},
        {EVALUATOR: [dict(type='DumpResults', out_file_path='x.pkl')]},
        {f'{EVALUATOR}.extractor': dict(type='InceptionV3')},  # it is not fetched
        {'val_dataloader.sampler': dict(type='RepeatingSampler', num_samples=50_000)},
    ],
)  # fmt: skip
def test_right_ones(mistakes, settings):
    assert mistakes(settings) == {}


def test_neither_data_nor_downloads(mistakes, monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(DownloadedDataset, 'obtain_files', lambda *a, **k: 1 / 0)
    for name in ('gan_mlp_mnist-28x28', 'r3gan_stacked-mnist-28x28_cpu', 'dcgan_folder-64x64'):
        assert mmgan_lite.config_validation.check_config(mmgan_lite.get_config(name)) == []
    assert list(tmp_path.iterdir()) == []


def test_bits_of_data_and_model(mistakes):
    folder = dict(type='ImageFolderDataset', data_root='x', channels='L', image_size=28)
    found = mistakes({f'{LOADER}.dataset': {**folder, 'bit_depth': 16}})
    assert '16 bits need its bit_depth=16' in found[f'{LOADER}.dataset']
    deep = {'model.data_preprocessor': dict(type='ImageBatchPreprocessor', bit_depth=16)}
    assert mistakes(deep) == {}
    found = mistakes({f'{LOADER}.dataset': folder})
    assert 'Give the dataset bit_depth=16 too' in found[f'{LOADER}.dataset']


def test_pipelines(mistakes):
    pytest.importorskip('mmcv.transforms')
    pipeline = [
        dict(type='RandomChoice', transforms=[[dict(type='RandomGrayscale', prob=0.1)]]),
        dict(type='Resize', scale=(28, 28)),
        dict(type='PackImage'),
    ]
    key = f'{LOADER}.dataset'
    folder = dict(type='ImageFolderDataset', data_root='nowhere', pipeline=pipeline)
    assert mistakes({key: folder}) == {}
    pipeline[0]['transforms'][0][0]['probability'] = 0.1
    pipeline[1]['type'] = 'Rezise'
    found = mistakes({key: folder})
    assert f'{key}.pipeline[0].transforms[0][0].probability' in found
    assert "Did you mean 'Resize'?" in found[f'{key}.pipeline[1].type']


@pytest.mark.parametrize(
    ('cfg', 'shape'),
    [
        (dict(type='DigitsDataset', image_size=32), (1, 32, 32)),
        (dict(type='ImageFolderDataset', data_root='x', image_size=(64, 48)), (3, 64, 48)),
        (dict(type='ImageFolderDataset', data_root='x'), None),
        (dict(type='StackedMNISTDataset', num_images=9), (3, 28, 28)),
        (dict(type='KMNISTDataset', data_root='x'), (1, 28, 28)),
        (dict(type='CIFAR10Dataset', data_root='x'), (3, 32, 32)),
        (dict(PAIRS, image_size=64), None),
    ],
)
def test_shapes_that_are_known_without_data(cfg, shape):
    assert DATASETS.build({**cfg, 'lazy_init': True}).image_shape == shape


def test_a_dataset_of_fixed_shape_needs_only_an_attribute(mistakes):
    class Theirs(BaseDataset):
        image_shape = (3, 8, 8)

    class Unknown(BaseDataset):
        @property
        def image_shape(self): ...

    text = 'got (1, 28, 28) for images of (3, 8, 8)'
    assert text in mistakes({f'{LOADER}.dataset': dict(type=Theirs)})[f'{LOADER}.dataset']
    assert mistakes({f'{LOADER}.dataset': dict(type=Unknown)}) == {}
    pipeline = [dict(type='PackImage')]  # which may change the shape
    assert mistakes({f'{LOADER}.dataset': dict(type=Theirs, pipeline=pipeline)}) == {}


TRANSLATOR = dict(
    type='mmgan_lite.Pix2Pix',
    generator=dict(type='UNetTranslator', levels=6, base_channels=2),
    discriminator=dict(type='PatchDiscriminator', in_channels=6, base_channels=2),
    loss=dict(type='NonSaturatingGANLoss'),
)


@pytest.mark.parametrize(
    ('dataset', 'expected'),
    [
        (dict(PAIRS, image_size=64), None),
        (dict(PAIRS, image_size=64, load_size=70), None),
        (PAIRS, None),
        (dict(PAIRS, image_size=96), 'multiples of 64 (2 to the power of 6 levels), got 96x96. '
         'Resize or pad them to 64x64 or 128x128.'),
        (dict(PAIRS, image_size=64, channels='L'), 'generator does not take the source: images '
         'must be of shape (N, 3, H, W) for a network with in_channels=3, got (1, 1, 64, 64).'),
        (dict(PAIRS, image_size=64, target_channels='L'),
         'out_channels of generator must be the channels of the target, got 3 for 1.'),
        (dict(type='UnpairedImageDataset', data_root='x', source='a', target='b', image_size=32),
         'got 32x32. Resize or pad them to 64x64.'),
        (dict(type='ImageFolderDataset', data_root='x'),
         "Pix2Pix needs batches with 'source' and 'target', got others. Train on dict("),
        (dict(type='EdgesToDigitsDataset', image_size=64), 'in_channels=3, got (1, 1, 64, 64)'),
    ],
)  # fmt: skip
def test_translation_and_its_data(mistakes, dataset, expected):
    key = f'{LOADER}.dataset'
    found = mistakes(
        {key: dataset, 'model': TRANSLATOR, 'val_dataloader': None, 'val_evaluator': None,
         'val_cfg': None, 'custom_hooks': []}
    )  # fmt: skip
    assert (expected in found[key]) if expected else key not in found, found


@pytest.mark.parametrize('size', [{}, dict(image_size=28)])
def test_a_gan_has_no_use_for_pairs(mistakes, size):
    found = mistakes({f'{LOADER}.dataset': {**PAIRS, **size}})
    assert "A GAN trains on images, got a batch without 'inputs'." in found[f'{LOADER}.dataset']


def test_functions_need_their_project(mistakes):
    found = mistakes({'train_dataloader.collate_fn': dict(type='image_collate')})
    assert list(found) == ['train_dataloader.collate_fn.type']
    assert "Set type='mmgan_lite.image_collate'." in found['train_dataloader.collate_fn.type']


def test_a_sampler_of_torch(mistakes):
    assert list(mistakes({f'{LOADER}.sampler': None})) == [f'{LOADER}.sampler']
    assert mistakes({f'{LOADER}.shuffle': True}) == {}


def test_a_metric_may_be_named_like_an_evaluator(mistakes):
    class MeanEvaluator(BaseMetric):
        def process(self, data_batch, data_samples): ...

        def compute_metrics(self, results): ...

    METRICS.register_module(module=MeanEvaluator)
    try:
        assert mistakes({'val_evaluator': dict(type='MeanEvaluator')}) == {}
    finally:
        METRICS.module_dict.pop('MeanEvaluator')


def test_data_of_others_are_not_built(mistakes):
    """They may read all there is."""

    class Reads(BaseDataset):
        def __init__(self, lazy_init=False):
            raise AssertionError

    assert mistakes({'train_dataloader.dataset': dict(type=Reads)}) == {}


AVERAGE = dict(type='HalfLifeMovingAverage', half_life=1e3)


def test_images_of_another_shape(mistakes):
    assert mistakes({'train_dataloader.dataset.image_size': 32}) == {
        'train_dataloader.dataset': 'image_shape of the networks must be that of the data, got '
        '(1, 28, 28) for images of (1, 32, 32). Build them with image_shape=(1, 32, 32), '
        'or resize in the dataset.'
    }


def test_classes_that_the_networks_lack(mistakes):
    networks = ('generator', 'discriminator')
    assert mistakes({f'model.{name}.num_classes': 5 for name in networks}) == {
        'model': 'num_classes must be at least the number of classes in the data, got 5 for 10 '
        'classes. Build both networks with num_classes=10.'
    }
    assert mistakes({f'model.{name}.num_classes': 12 for name in networks}) == {}


def test_an_average_over_other_images_than_the_batches_have(mistakes):
    assert mistakes({'model.ema': dict(AVERAGE, images_per_update=32)}) == {
        'model.ema': 'images_per_update must be the real images from one step of the generator to '
        'the next, 64 with batch_size=64, got 32. Set images_per_update=64.'
    }
    settings = {'model.ema.images_per_update': 256, 'model.discriminator_steps': 2}
    assert mistakes({**settings, 'optim_wrapper.generator.accumulative_counts': 2}) == {}


BEST = 'default_hooks.checkpoint.save_best'
RULE = 'default_hooks.checkpoint.rule'
FID = 'FID[mnist-classifier]'
LINEAR = dict(type='MLPDiscriminator', image_shape=(1, 28, 28))
OWN = dict(type='ModuleExtractor', module=LINEAR, name='own')


@pytest.mark.parametrize(
    ('settings', 'expected'),
    [
        ({BEST: 'FID'}, f"must name scores of the validation, got 'FID'. It gives '{FID}',"),
        ({BEST: [FID, 'IS']}, "got 'IS'. It gives"),
        ({BEST: FID, f'{EVALUATOR}.extractor': dict(type='InceptionV3')},
         f"got '{FID}'. It gives 'FID',"),
        ({BEST: 'FID', f'{EVALUATOR}.extractor': OWN}, "got 'FID'. It gives 'FID[own]',"),
        ({BEST: FID, 'val_cfg': None, 'val_dataloader': None, EVALUATOR: None},
         'needs a validation, got none.'),
    ],
)  # fmt: skip
def test_scores_that_are_not_there(mistakes, settings, expected):
    assert expected in mistakes(settings)[BEST]


DUMP = dict(type='DumpResults', out_file_path='x.pkl')


@pytest.mark.parametrize(
    'settings',
    [
        {BEST: [FID, 'precision[mnist-classifier]'], RULE: ['less', 'greater']},
        {BEST: 'auto'},
        # No paper reports it through Inception.
        {
            BEST: 'PPL_Z_end[inception-v3]',
            RULE: 'less',
            f'{EVALUATOR}.extractor': dict(type='InceptionV3'),
            f'{EVALUATOR}.metrics': [dict(type='PerceptualPathLength', space='z')],
        },
        # Its levels depend on the images.
        {
            BEST: 'SWD_28',
            RULE: 'less',
            f'{EVALUATOR}.metrics': [dict(type='SlicedWassersteinDistance')],
        },
        # The scores of other metrics are not known before they are there.
        {BEST: 'count', RULE: 'less', EVALUATOR: [DUMP]},
        {BEST: 'count', RULE: 'less', f'{EVALUATOR}.metrics': [DUMP]},
    ],
)
def test_scores_that_may_be_there(mistakes, settings):
    assert mistakes(settings) == {}
