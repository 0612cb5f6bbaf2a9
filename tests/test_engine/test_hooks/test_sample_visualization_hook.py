import random
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from mmengine.model import BaseModel
from mmengine.structures import BaseDataElement
from PIL import Image

from mmgan_lite.engine.hooks import sample_visualization_hook
from mmgan_lite.registry import HOOKS
from mmgan_lite.visualization.run_log import find_grids

PADDING = 2  # of torchvision's make_grid
SCALE = 16  # of images of 6 pixels, to 96


def _hook(**arguments):
    return {'type': 'SampleVisualizationHook', **arguments}


def _cells(path, rows, columns, height=4, width=6):
    """The cells' pixels as ``(rows, columns, height, width, 3)``, without the enlargement."""
    height, width = SCALE * height, SCALE * width
    picture = np.asarray(Image.open(path))
    assert picture.shape == (
        PADDING + rows * (height + PADDING),
        PADDING + columns * (width + PADDING),
        3,
    )
    tops = [PADDING + row * (height + PADDING) for row in range(rows)]
    lefts = [PADDING + column * (width + PADDING) for column in range(columns)]
    return np.array(
        [
            [picture[t : t + height : SCALE, left : left + width : SCALE] for left in lefts]
            for t in tops
        ]
    )


def _random_states():
    numpy_state = np.random.get_state()
    return (
        torch.get_rng_state().tolist(),
        (numpy_state[1].tolist(), numpy_state[2]),
        random.getstate(),
    )


# Level -1, -0.5, 0 -> (level + 1) * 127.5 = 0, 63.75, 127.5 -> round half to even: 0, 64, 128.
# On white, where alpha has the same value: 255, 191 + 64^2 / 255, 127 + 128^2 / 255.
@pytest.mark.parametrize(
    ('channels', 'values'), [(1, (0, 64, 128)), (4, (255, 207, 191)), (7, (0, 64, 128))]
)
def test_grids_hold_the_generators_pixels(make_runner, fake_gan, tmp_path, channels, values):
    make_runner(fake_gan(channels=channels), [_hook(interval=2, num_samples=3)]).train()

    folder = tmp_path / 'samples'
    assert sorted(path.name for path in folder.iterdir()) == [
        'real.png',
        'samples_iter-00000000.png',
        'samples_iter-00000002.png',
        'samples_iter-00000004.png',
        'training.gif',
    ]
    for iteration, value in zip((0, 2, 4), values, strict=True):
        cells = _cells(folder / f'samples_iter-{iteration:08d}.png', rows=2, columns=2)
        assert (cells.reshape(4, -1)[:3] == value).all()
        assert (cells.reshape(4, -1)[3] == 0).all()  # three samples in a square of four


def test_every_grid_shows_the_same_latents_and_noise_without_gradient(make_runner, fake_gan):
    model = fake_gan()
    make_runner(model, [_hook(interval=1, num_samples=5, seed=3)]).train()

    expected = torch.randn(5, 2, generator=torch.Generator().manual_seed(3))
    assert len(model.sample_calls) == 5
    for call in model.sample_calls:
        torch.testing.assert_close(call['latents'], expected, rtol=0, atol=0)
        assert call['labels'] is None
        assert call['noise'] == model.sample_calls[0]['noise']
        assert not call['grad']


def test_conditional_grid_has_a_row_a_class_with_the_same_latents(make_runner, fake_gan, tmp_path):
    model = fake_gan(num_classes=3)
    make_runner(model, [_hook(num_samples=7)]).train()  # 7 // 3 = 2 a class

    call = model.sample_calls[0]
    assert call['labels'].dtype == torch.int64
    assert call['labels'].tolist() == [0, 0, 1, 1, 2, 2]
    latents = call['latents'].reshape(3, 2, 2)
    assert torch.equal(latents[0], latents[1])
    assert torch.equal(latents[0], latents[2])
    assert not torch.equal(latents[0, 0], latents[0, 1])
    _cells(tmp_path / 'samples' / 'samples_iter-00000000.png', rows=3, columns=2)


def test_more_classes_than_samples_draws_the_first_classes(make_runner, fake_gan):
    model = fake_gan(num_classes=10)
    make_runner(model, [_hook(num_samples=3)]).train()
    assert model.sample_calls[0]['labels'].tolist() == [0, 1, 2]


def test_real_images_are_laid_out_by_class(make_runner, fake_gan, tmp_path):
    make_runner(fake_gan(num_classes=3), [_hook(num_samples=6)]).train()
    cells = _cells(tmp_path / 'samples' / 'real.png', rows=3, columns=2)
    for label in range(3):
        assert (cells[label] == 40 * label + 1).all()


def test_labels_of_data_samples_are_understood(make_runner, fake_gan, fake_dataset, tmp_path):
    class OtherProjectsDataset(fake_dataset):
        def __getitem__(self, index):
            item = super().__getitem__(index)
            gt_label = torch.tensor([item.pop('labels')])
            return {**item, 'data_samples': BaseDataElement(gt_label=gt_label)}

    runner = make_runner(
        fake_gan(num_classes=3),
        [_hook(num_samples=3)],
        dataset=OtherProjectsDataset(),
    )
    runner.train_loop.dataloader.collate_fn = list
    runner.train()
    cells = _cells(tmp_path / 'samples' / 'real.png', rows=3, columns=1)
    assert cells[:, 0, 0, 0, 0].tolist() == [1, 41, 81]


def test_class_without_images_leaves_black_cells(make_runner, fake_gan, fake_dataset, tmp_path):
    model, dataset = fake_gan(num_classes=3), fake_dataset(num_classes=2)
    make_runner(model, [_hook(num_samples=3)], dataset=dataset).train()
    cells = _cells(tmp_path / 'samples' / 'real.png', rows=3, columns=1)
    assert cells[:, 0, 0, 0, 0].tolist() == [1, 41, 0]


def test_real_images_without_classes_are_as_many_as_the_samples(make_runner, fake_gan, tmp_path):
    make_runner(fake_gan(), [_hook(num_samples=4)]).train()
    cells = _cells(tmp_path / 'samples' / 'real.png', rows=2, columns=2)
    assert set(cells.flatten().tolist()) <= {1, 41, 81}


def test_training_does_not_notice_the_hook(make_runner, fake_gan, tmp_path):
    make_runner(fake_gan(num_classes=3), work_dir=tmp_path / 'without').train()
    without = _random_states()
    make_runner(
        fake_gan(num_classes=3), [_hook(interval=1, num_samples=6)], work_dir=tmp_path / 'with'
    ).train()
    assert _random_states() == without


def test_epoch_based_training_draws_by_epoch(make_runner, fake_gan, tmp_path):
    train_cfg = {'by_epoch': True, 'max_epochs': 3}  # of 3 iterations
    make_runner(fake_gan(), [_hook(interval=2, by_epoch=True)], train_cfg=train_cfg).train()
    names = sorted(path.stem for path in (tmp_path / 'samples').glob('samples*'))
    assert [name.split('-')[1] for name in names] == ['00000000', '00000006', '00000009']


def test_epoch_based_training_draws_by_iteration(make_runner, fake_gan, tmp_path):
    train_cfg = {'by_epoch': True, 'max_epochs': 2}
    make_runner(fake_gan(), [_hook(interval=4)], train_cfg=train_cfg).train()
    names = sorted(path.stem for path in (tmp_path / 'samples').glob('samples*'))
    assert [name.split('-')[1] for name in names] == ['00000000', '00000004', '00000006']


def test_animation_shows_every_grid_and_holds_the_last(make_runner, fake_gan, tmp_path):
    make_runner(fake_gan(), [_hook(interval=2)]).train()
    with Image.open(tmp_path / 'samples' / 'training.gif') as gif:
        assert gif.n_frames == 3
        assert gif.info['loop'] == 0
        shown = []
        for frame in range(3):
            gif.seek(frame)
            pixel = gif.convert('RGB').getpixel((PADDING, PADDING))
            shown.append((pixel, gif.info['duration']))
    assert shown == [((0,) * 3, 100), ((64,) * 3, 100), ((128,) * 3, 2000)]


def test_long_animation_is_thinned_to_100_frames(make_runner, fake_gan, tmp_path):
    model = fake_gan(step=2 / 128)
    make_runner(model, [_hook(interval=1, num_samples=1)], max_iters=120).train()
    with Image.open(tmp_path / 'samples' / 'training.gif') as gif:
        assert gif.n_frames == 100
        assert gif.convert('RGB').getpixel((0, 0)) == (0,) * 3
        gif.seek(99)  # level -1 + 120 / 64 = 0.875 -> 239.06
        assert gif.convert('RGB').getpixel((0, 0)) == (239,) * 3


def test_grids_of_growing_images_are_animated_in_the_last_size(make_runner, fake_gan, tmp_path):
    class GrowingGAN(fake_gan):
        def sample(self, *args, **kwargs):
            scale = 1 if self.level < -0.6 else 20  # -1, -0.75 | -0.5, -0.25, 0
            return (
                super()
                .sample(*args, **kwargs)
                .repeat_interleave(scale, 2)
                .repeat_interleave(scale, 3)
            )

    make_runner(GrowingGAN(), [_hook(interval=1, num_samples=1)]).train()
    with Image.open(tmp_path / 'samples' / 'samples_iter-00000000.png') as first:
        assert first.size == (6 * SCALE, 4 * SCALE)
    with Image.open(tmp_path / 'samples' / 'training.gif') as gif:
        assert (gif.size, gif.n_frames) == ((120, 80), 5)
        for frame, value in enumerate((0, 32, 64, 96, 128)):
            gif.seek(frame)
            assert np.unique(np.asarray(gif.convert('RGB'))).tolist() == [value]


def test_resumed_run_animates_the_grids_from_before(make_runner, fake_gan, tmp_path):
    default_hooks = {
        'checkpoint': {'type': 'CheckpointHook', 'by_epoch': False, 'interval': 2},
        'safe_checkpoint': {'type': 'SafeCheckpointHook'},
    }
    first_model, model = fake_gan(), fake_gan()
    hooks = [_hook(interval=2)]
    make_runner(first_model, hooks, max_iters=2, default_hooks=default_hooks).train()
    make_runner(model, hooks, max_iters=4, default_hooks=default_hooks, resume=True).train()

    assert len(model.sample_calls) == 1  # iteration 4; those of 0 and 2 are on disk
    assert torch.equal(model.sample_calls[0]['latents'], first_model.sample_calls[0]['latents'])
    with Image.open(tmp_path / 'samples' / 'training.gif') as gif:
        assert gif.n_frames == 3


def test_fresh_run_puts_the_grids_of_an_older_one_aside(make_runner, fake_gan, tmp_path):
    make_runner(fake_gan(), [_hook(interval=1)]).train()
    runner = make_runner(fake_gan(), [_hook(interval=2)])
    runner.train()
    assert list(find_grids(tmp_path / 'samples')) == [0, 2, 4]
    older = tmp_path / f'samples_before_{runner.timestamp}'
    assert list(find_grids(older)) == [0, 1, 2, 3, 4]
    assert (older / 'training.gif').is_file()
    with Image.open(tmp_path / 'samples' / 'training.gif') as gif:
        assert gif.n_frames == 3


@pytest.mark.parametrize(('level', 'value'), [('nan', 0), ('-inf', 0), ('inf', 255)])
def test_diverged_generator_does_not_stop_the_run(make_runner, fake_gan, tmp_path, level, value):
    make_runner(fake_gan(fixed_level=float(level)), [_hook(num_samples=1)]).train()
    with Image.open(tmp_path / 'samples' / 'samples_iter-00000004.png') as picture:
        assert np.unique(np.asarray(picture)).tolist() == [value]
    assert (tmp_path / 'samples' / 'training.gif').exists()


def test_grids_reach_tensorboard(make_runner, fake_gan, tmp_path):
    event_accumulator = pytest.importorskip(
        'tensorboard.backend.event_processing.event_accumulator'
    )
    visualizer = {'type': 'Visualizer', 'vis_backends': [{'type': 'TensorboardVisBackend'}]}
    make_runner(fake_gan(), [_hook(interval=2, num_samples=6)], visualizer=visualizer).train()

    (event_file,) = tmp_path.rglob('events.out.tfevents.*')
    events = event_accumulator.EventAccumulator(str(event_file)).Reload()
    assert [event.step for event in events.Images('samples')] == [0, 2, 4]
    image = events.Images('samples')[0]  # 2 rows of 3 columns
    assert (image.height, image.width) == (2 + 2 * (4 * SCALE + 2), 2 + 3 * (6 * SCALE + 2))
    assert [event.step for event in events.Images('real')] == [0]


def test_only_the_main_process_draws(make_runner, fake_gan, tmp_path, monkeypatch):
    monkeypatch.setattr(sample_visualization_hook, 'is_main_process', lambda: False)
    model = fake_gan()
    make_runner(model, [_hook(interval=1)]).train()
    assert model.sample_calls == []
    assert not (tmp_path / 'samples').exists()


@pytest.mark.parametrize('argument', ['interval', 'num_samples'])
def test_counts_below_one_are_refused(argument):
    message = f'{argument} must be an int of at least 1, got 0. Pass {argument}=1 or more.'
    with pytest.raises(ValueError, match=message):
        HOOKS.build(_hook(**{argument: 0}))


class Pairs:
    """Gray sources of the value of the index, and red targets of 200; noise as of a pipeline."""

    def __init__(self, size):
        self.size = size

    def __len__(self):
        return self.size

    def __getitem__(self, index):
        torch.rand(1), np.random.rand(), random.random()
        source = torch.full((1, 4, 6), index, dtype=torch.uint8)
        target = torch.zeros(3, 4, 6, dtype=torch.uint8)
        target[0] = 200
        return dict(source=source, target=target)


@pytest.fixture
def translator(fake_gan):
    class Translator(BaseModel):
        """Its output is half as large, and of its level."""

        image_shape, step = (1, 4, 6), 0.25
        train_step = fake_gan.train_step

        def __init__(self):
            super().__init__()
            self.level = torch.nn.Parameter(torch.tensor(-1.0))
            self.register_buffer('average', torch.tensor(0.0))
            self.rows = []

        def forward(self):
            raise NotImplementedError

        def prepare_batch(self, data):
            batch = {name: torch.stack(images) / 127.5 - 1 for name, images in data.items()}
            return SimpleNamespace(**batch)

        def sample_rows(self, batch):
            noise = (torch.rand(1).item(), np.random.rand(), random.random())
            self.rows.append((batch.source, noise, torch.is_grad_enabled()))
            output = self.level.expand(len(batch.source), 1, 2, 3)
            return [batch.source, output, batch.target]

    return Translator


def _sources(cells):
    """The value of the source of each item in cells ``(rows, 3 * items, H, W, 3)``."""
    return cells[:, ::3, 0, 0, 0].flatten().tolist()


def test_rows_of_images_to_images(make_runner, translator, tmp_path):
    """13 images are 4 items of 3, one a row: sqrt(4 / 3) is nearest to 1."""
    model = translator()
    make_runner(model, [_hook(interval=2, num_samples=13)], dataset=Pairs(9)).train()
    folder = tmp_path / 'samples'
    assert sorted(path.name for path in folder.iterdir()) == [
        'samples_iter-00000000.png',
        'samples_iter-00000002.png',
        'samples_iter-00000004.png',
        'training.gif',
    ]
    order = torch.randperm(9, generator=torch.Generator().manual_seed(0))[:4].tolist()
    for iteration, value in zip((0, 2, 4), (0, 64, 128), strict=True):
        cells = _cells(folder / f'samples_iter-{iteration:08d}.png', rows=4, columns=3)
        assert _sources(cells) == order
        assert (cells[:, 0] == cells[:, 0, :, :, :1]).all()  # gray
        assert (cells[:, 1] == value).all()
        assert (cells[:, 2] == (200, 0, 0)).all()
    assert not any(grad for *_, grad in model.rows)
    assert len({noise for _, noise, _ in model.rows}) == 1


def test_several_items_in_a_row(make_runner, translator, tmp_path):
    make_runner(translator(), [_hook(num_samples=37)], dataset=Pairs(50)).train()
    # 12 items of 3 images: sqrt(12 / 3) = 2 of them in a row.
    _cells(tmp_path / 'samples' / 'samples_iter-00000004.png', rows=6, columns=6)


def test_rows_are_of_the_validation_dataset(make_runner, translator, tmp_path):
    validation = dict(
        val_cfg={},
        val_dataloader=dict(dataset=Pairs(2), sampler=dict(type='DefaultSampler', shuffle=False)),
        val_evaluator=[],
    )
    model = translator()
    model.val_step = lambda data: [{}]
    make_runner(model, [_hook(num_samples=9)], dataset=Pairs(9), **validation).train()
    cells = _cells(tmp_path / 'samples' / 'samples_iter-00000000.png', rows=2, columns=3)
    assert sorted(_sources(cells)) == [0, 1]


def test_training_does_not_notice_the_rows(make_runner, translator, tmp_path):
    states = []
    for name, hooks in (('without', []), ('with', [_hook(interval=1, num_samples=6)])):
        make_runner(translator(), hooks, dataset=Pairs(9), work_dir=tmp_path / name).train()
        states.append(_random_states())
    assert states[0] == states[1]


def test_nothing_is_drawn_of_a_model_that_cannot_sample(make_runner, fake_gan, tmp_path):
    class Translator(BaseModel):
        image_shape, step = (1, 4, 6), 0.1
        train_step = fake_gan.train_step

        def __init__(self):
            super().__init__()
            self.level = torch.nn.Parameter(torch.tensor(0.0))
            self.register_buffer('average', torch.tensor(0.0))

        def forward(self):
            raise NotImplementedError

    make_runner(Translator(), [_hook(interval=1)]).train()
    assert not (tmp_path / 'samples').exists()
    log = next(tmp_path.rglob('*.log')).read_text()
    line = 'SampleVisualizationHook draws no samples of a Translator: it needs sample, sample_'
    assert log.count(line) == 1


def test_epochs_in_iteration_based_training_are_refused(make_runner, fake_gan):
    message = 'by_epoch=True needs epoch-based training, but train_cfg counts iterations.'
    with pytest.raises(ValueError, match=message):
        make_runner(fake_gan(), [_hook(interval=1, by_epoch=True)]).train()


def test_images_without_channels_are_refused(make_runner, fake_gan, fake_dataset):
    model = fake_gan()
    model.image_shape = (4, 6)
    message = r'images of FakeGAN.sample must be uint8 .* got torch.uint8 \(64, 4, 6\)'
    with pytest.raises(ValueError, match=message):
        make_runner(model, [_hook()], dataset=fake_dataset()).train()


def test_real_images_that_are_not_uint8_are_refused(make_runner, fake_gan, fake_dataset):
    class FloatDataset(fake_dataset):
        def __getitem__(self, index):
            item = super().__getitem__(index)
            return {**item, 'inputs': item['inputs'].float()}

    message = 'inputs of the training dataset, .* must be uint8 .* got torch.float32 '
    with pytest.raises(ValueError, match=message):
        make_runner(fake_gan(), [_hook()], dataset=FloatDataset()).train()
