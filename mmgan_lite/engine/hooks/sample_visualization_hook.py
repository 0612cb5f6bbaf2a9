"""Grids of generated samples, from the first iteration to the last."""

import itertools
import math
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

import numpy as np
import torch
from mmengine.dist import is_main_process
from mmengine.hooks import Hook
from mmengine.runner import IterBasedTrainLoop, Runner
from PIL import Image
from torch import Tensor
from torch.nn.functional import interpolate

from mmgan_lite.engine.resume.rng_state import isolated_random_state
from mmgan_lite.registry import HOOKS
from mmgan_lite.utils.image_batch import as_rgb, batch_labels
from mmgan_lite.utils.interfaces import unwrap_model
from mmgan_lite.utils.validation import check_positive
from mmgan_lite.visualization.image_grid import make_picture, pick_evenly, save_gif, save_png
from mmgan_lite.visualization.run_log import find_grids

# Dataset items read for each real image that is wanted, before a class counts as too rare.
_SEARCH_FACTOR = 20


@runtime_checkable
class _Samples(Protocol):
    """The part of ``SamplesImages`` that is used here."""

    num_classes: int | None
    sample: Any
    sample_latents: Any


@runtime_checkable
class _SamplesRows(Protocol):
    """The part of a model of images to images that is used here."""

    prepare_batch: Any
    sample_rows: Any


@HOOKS.register_module()
class SampleVisualizationHook(Hook):
    """Draws samples of the same latents, or of the same images, while the generator trains.

    Writes to ``<work_dir>/samples/``, and the grids also to the Runner's visualizer. Small images
    are enlarged, pixel by pixel: those of 28x28 three times. Alpha is composited on white, of 5 or
    more channels the first three are drawn, and 16 bits are rounded to 8.

    - ``samples_iter-00001000.png``: a grid of samples before training starts, at every interval
      and after the last iteration. Square for an unconditional model. One row a class for a
      conditional one, with the same latents in every row: a column shows what the label changes
      and nothing else.
    - ``real.png``: as many images of the training dataset, chosen by ``seed`` and laid out in the
      same way. A class that is too rare to be found quickly leaves black cells, or white ones where
      images have alpha.
    - ``training.gif``: the grids one after the other, at most 100 of them evenly picked. A
      resumed run includes those from before. Smaller grids, of a model whose images grow, are
      enlarged to the size of the largest.

    A run that begins anew, where there are grids already, renames their folder to
    ``samples_before_<its own timestamp>``: grids of two runs never mix.

    Latents and labels depend on ``seed`` only, so all the grids of a run, resumed or not, show
    the same ones. The random state of training does not change. Only the main process draws, so
    ``model.sample`` must not wait for other processes.

    The model must have ``sample(num, labels, latents)``, which returns images ``(N, C, H, W)``,
    float in [-1, 1], from the generator in eval mode (or its moving average);
    ``sample_latents(num, generator)``; and ``num_classes``, None for an unconditional model. The
    dataset's items hold ``inputs``, a uint8 or uint16 tensor ``(C, H, W)``, and with labels
    ``labels`` or ``data_samples.gt_label``.

    A model of images to images has ``prepare_batch`` and ``sample_rows`` instead, as
    :class:`~mmgan_lite.models.TranslationModel` does. Its grids show the same items of the
    validation dataset, if there is one, or else of the training dataset, chosen by ``seed``. The
    images of an item, such as source, output and target, are next to one another; there may be
    several items in a row. There is no ``real.png``.

    For any other model the hook does nothing.

    Args:
        interval: Iterations from one grid to the next, or epochs with ``by_epoch=True``; >= 1.
        by_epoch: Whether ``interval`` counts epochs. Counting iterations works in iteration- and
            epoch-based training, counting epochs in the latter only.
        num_samples: Images in a grid, >= 1. With labels, the most there may be: every class gets
            ``num_samples // num_classes`` of them; where that is 0, the first ``num_samples``
            classes get one each. Of images to images the most, and at least one item.
        seed: Seed of the latents, of the generator's own noise and of the choice of images.

    Raises:
        ValueError: If ``interval`` or ``num_samples`` < 1; when training starts, if the model's
            images, the dataset's images or the training loop do not fit the above.

    Example:
        >>> default_hooks = dict(samples=dict(type='SampleVisualizationHook', interval=1000))
    """

    # After the log line of the iteration, so that drawing is no part of the time it reports.
    priority = 'LOW'

    def __init__(
        self, interval: int = 1000, by_epoch: bool = False, num_samples: int = 64, seed: int = 0
    ) -> None:
        self.interval = check_positive('interval', interval)
        self.by_epoch = by_epoch
        self.num_samples = check_positive('num_samples', num_samples)
        self.seed = seed
        self._model: Any = None  # in the main process, if it draws samples

    def draws(self, model: Any) -> bool:
        """Whether it draws samples of a model."""
        return isinstance(model, (_Samples, _SamplesRows))

    def before_train(self, runner: Runner) -> None:
        """Fix what is drawn; in a fresh run draw real images and the untrained generator's."""
        model = unwrap_model(runner.model)
        self._model = None
        if not self.draws(model):
            runner.logger.info(
                f'SampleVisualizationHook draws no samples of a {type(model).__name__}: it needs '
                'sample, sample_latents and num_classes, or prepare_batch and sample_rows.'
            )
            return
        if self.by_epoch and isinstance(runner.train_loop, IterBasedTrainLoop):
            raise ValueError(
                'by_epoch=True needs epoch-based training, but train_cfg counts iterations. '
                'Give SampleVisualizationHook by_epoch=False and an interval in iterations.'
            )
        if not is_main_process():
            return
        self._model = model
        self._folder = Path(runner.work_dir) / 'samples'
        if runner.iter == 0 and find_grids(self._folder):
            name = f'{self._folder}_before_{runner.timestamp}'
            # Runs of one second have the same timestamp.
            names = itertools.chain([name], (f'{name}_{number}' for number in itertools.count(2)))
            older = self._folder.rename(next(n for n in names if not Path(n).exists()))
            runner.logger.info(f'The samples of an earlier run are in {older} now.')
        self._folder.mkdir(parents=True, exist_ok=True)
        if isinstance(model, _Samples):
            self._set_latents(model)
            self._draw_real(runner)
        else:
            self._set_items(model, (runner.val_loop or runner.train_loop).dataloader.dataset)
        # Those of later iterations will be drawn again.
        self._iterations = [i for i in find_grids(self._folder) if i <= runner.iter]
        if runner.iter == 0:
            self._draw_samples(runner, iteration=0)

    def after_train_iter(
        self, runner: Runner, batch_idx: int, data_batch: Any = None, outputs: dict | None = None
    ) -> None:
        """Draw a grid every ``interval`` iterations."""
        if not self.by_epoch and self.every_n_train_iters(runner, self.interval):
            # The loop counts the iteration only after its hooks.
            self._draw_samples(runner, iteration=runner.iter + 1)

    def after_train_epoch(self, runner: Runner) -> None:
        """Draw a grid every ``interval`` epochs."""
        if self.by_epoch and self.every_n_epochs(runner, self.interval):
            self._draw_samples(runner, iteration=runner.iter)

    def after_train(self, runner: Runner) -> None:
        """Draw the last grid, if it is not there yet, and write the animation."""
        if self._model is None:
            return
        if runner.iter not in self._iterations:
            self._draw_samples(runner, iteration=runner.iter)
        picked = pick_evenly(self._iterations, 100)
        frames = [np.asarray(Image.open(self._path(iteration))) for iteration in picked]
        save_gif(frames, self._folder / 'training.gif', frame_ms=100, last_frame_ms=2000)

    def _set_latents(self, model: _Samples) -> None:
        """Fix the latents ``(N, Z)`` and the labels ``(N,)`` int64 (or None) of every grid."""
        # A stream of its own: neither reads nor moves the ones that training draws from.
        generator = torch.Generator().manual_seed(self.seed)
        classes = model.num_classes
        count = self.num_samples if classes is None else max(1, self.num_samples // classes)
        self._latents = model.sample_latents(count, generator=generator)
        self._labels = None
        self._columns = math.ceil(math.sqrt(count))
        if classes is not None:
            rows = torch.arange(min(classes, self.num_samples), device=self._latents.device)
            self._latents = self._latents.repeat(len(rows), 1)
            self._labels = rows.repeat_interleave(count)
            self._columns = count

    def _set_items(self, model: _SamplesRows, dataset: Any) -> None:
        """Fix the items of every grid of a model of images to images."""
        # A pipeline may draw random numbers, for its flips and crops.
        with isolated_random_state(self.seed, torch.device('cpu')):
            order = torch.randperm(len(dataset))[: self.num_samples].tolist()
            self._items = [dataset[index] for index in order]
        width = len(self._sample_rows(model, self._items[:1]))
        count = max(1, self.num_samples // width)
        self._items = self._items[:count]
        # As nearly square as it can be with whole items.
        self._columns = width * max(1, round(math.sqrt(count / width)))

    @torch.no_grad()
    def _draw_samples(self, runner: Runner, iteration: int) -> None:
        if self._model is None:
            return
        if isinstance(self._model, _SamplesRows):
            columns = self._sample_rows(self._model, self._items)
            images = torch.stack([_as_shown(c, columns[0]) for c in columns], 1).flatten(0, 1)
        else:
            with isolated_random_state(self.seed, self._latents.device):
                count = len(self._latents)
                images = self._model.sample(count, labels=self._labels, latents=self._latents)
            images = _to_bytes(images)
        source = f'images of {type(self._model).__name__}.sample'
        grid = make_picture(images, self._columns, source, to_view=True)
        save_png(grid, self._path(iteration))
        runner.visualizer.add_image('samples', grid, step=iteration)
        self._iterations.append(iteration)

    @torch.no_grad()
    def _sample_rows(self, model: _SamplesRows, items: list[dict]) -> list[Tensor]:
        batch = model.prepare_batch({n: [item[n] for item in items] for n in ('source', 'target')})
        with isolated_random_state(self.seed, batch.source.device):
            return model.sample_rows(batch)

    def _draw_real(self, runner: Runner) -> None:
        dataset = runner.train_dataloader.dataset
        # A pipeline may draw random numbers, for its flips and crops.
        with isolated_random_state(self.seed, torch.device('cpu')):
            order = torch.randperm(len(dataset)).tolist()
            if self._labels is None or _label(dataset[order[0]]) is None:
                images = [dataset[index]['inputs'] for index in order[: len(self._latents)]]
            else:
                rows = len(self._latents) // self._columns
                images = _images_by_class(dataset, order, rows, self._columns)
        source = 'inputs of the training dataset, which the data preprocessor makes float,'
        grid = make_picture(torch.stack(images), self._columns, source, to_view=True)
        save_png(grid, self._folder / 'real.png')
        runner.visualizer.add_image('real', grid, step=runner.iter)

    def _path(self, iteration: int) -> Path:
        return self._folder / f'samples_iter-{iteration:08d}.png'


def _to_bytes(images: Tensor) -> Tensor:
    # Samples of a diverged generator are black (NaN) or clipped (inf), and no error.
    images = torch.nan_to_num(images.float(), nan=-1.0).clamp(-1, 1)
    return ((images + 1) * 127.5).round().to(torch.uint8).cpu()


def _as_shown(images: Tensor, first: Tensor) -> Tensor:
    """A column in RGB, in the size of the first one."""
    images = as_rgb(_to_bytes(images))
    return interpolate(images, first.shape[2:], mode='nearest')


def _label(item: dict) -> int | None:
    """The class of an item of a dataset of mmgan_lite or another MM project; None without one."""
    labels = batch_labels({key: [value] for key, value in item.items()})
    return None if labels is None else int(labels)


def _images_by_class(dataset: Any, order: list[int], rows: int, columns: int) -> list[Tensor]:
    """The first ``columns`` images of each class, row by row; zeros where there are too few."""
    found: list[list[Tensor]] = [[] for _ in range(rows)]
    for index in order[: _SEARCH_FACTOR * rows * columns]:
        item = dataset[index]
        label = _label(item)
        if label is not None and 0 <= label < rows and len(found[label]) < columns:
            found[label].append(item['inputs'])
        if all(len(row) == columns for row in found):
            break
    empty = torch.zeros_like(item['inputs'])
    return [image for row in found for image in [*row, *[empty] * (columns - len(row))]]
