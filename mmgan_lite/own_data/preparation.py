"""A training on images of one's own: planned for the data and the machine, written as a config."""

import dataclasses
import hashlib
import shutil
import time
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from mmengine.config import Config
from mmengine.device import get_device
from mmengine.registry import init_default_scope
from mmengine.runner import Runner

from mmgan_lite.datasets import ImageDecoder, ImageFolderDataset, pack_images
from mmgan_lite.engine.benchmark.measurement import endless
from mmgan_lite.engine.optimizers.gan_optim_wrapper import has_bfloat16
from mmgan_lite.own_data.config_writer import Plan, config_text
from mmgan_lite.own_data.description import describe
from mmgan_lite.own_data.planning import (
    BATCH_SIZE,
    WIDTHS,
    Choice,
    Networks,
    check_usable,
    choose_augmentation,
    choose_channels,
    choose_classes,
    choose_size,
    count_replaceable,
    wanted_iterations,
)
from mmgan_lite.own_data.timing import find_widest, time_iterations
from mmgan_lite.utils.atomic_io import atomic_write
from mmgan_lite.utils.config_text import read_settings
from mmgan_lite.utils.environment import available_cores, machine

# Given the name of a slow step and the number of its items, what is called with each number done.
Progress = Callable[[str, int], AbstractContextManager[Callable[[int], Any]]]

_WIDTH = 12  # of the longest name of a line
_DEFAULT_BUDGET = 1800.0
# Of the memory of the machine, for packed images.
_PACKED_SHARE = 1 / 8
# Of the budget.
_PACKING_SHARE, _TIMING_SHARE, _SCORING_SHARE = 1 / 4, 1 / 10, 1 / 10
_TIMING_SECONDS = 30.0
_DECODED = 64  # images, to estimate the time of packing
_QUICK = 4  # iterations
# The interval of the regularizers.
_BLOCK = 16
# The start of the command and of the training, the grids and the last checkpoint, and iterations
# that are slower than the timed ones: seconds, and a share of the time of the iterations.
_OVERHEAD, _OVERHEAD_SHARE = 12.0, 0.08
_MIN_ITERATIONS = 20
_EVALUATIONS = 5
_MIN_SCORED, _MAX_SCORED = 500, 10_000


@dataclass(frozen=True)
class Request:
    """What is asked for; None for what is to be chosen.

    Args:
        data: A folder, a zip or a folder of parquet files.
        size: Height and width, or one number for squares.
        channels: As for :class:`ImageDecoder`.
        bit_depth: As for :class:`ImageDecoder`.
        labels: As for :class:`ImageFolderDataset`.
        budget: Seconds, from the start of the command to the end of the training.
        work_dir: Where the output goes.
    """

    data: str
    size: tuple[int, ...] | None = None
    channels: int | str | None = None
    bit_depth: int | str | list[float] | None = None
    labels: str | bool | None = None
    budget: float | None = None
    work_dir: str | None = None


def prepare_training(request: Request, report: Callable[[str], Any], progress: Progress) -> Path:
    """Plan a training, and write its config into its work directory.

    Small data is packed first, unless the work directory has it packed already. Some iterations
    are timed.

    Args:
        request: What is asked for.
        report: Called with each line of the plan.
        progress: Shows the progress of packing.

    Returns:
        The path of the config.

    Raises:
        OSError: If there is no such data, or files cannot be written.
        ValueError: If the data cannot be trained on, or not as asked for, or the work directory is
            that of another training.
    """
    started = time.monotonic()
    device = get_device()
    budget = _DEFAULT_BUDGET if request.budget is None else request.budget
    found = describe(request.data, request.channels, request.labels)
    check_usable(found, request.bit_depth)
    size, size_choice = choose_size(found, request.size, device)
    channels, channels_choice = choose_channels(found, request.channels)
    num_classes, classes_choice = choose_classes(found, request.labels)
    asked = _asked(dataclasses.replace(request, size=size, channels=channels, budget=budget))
    path = _config_path(request, size)
    _check_work_dir(path, asked)
    choices = dict(size=size_choice, channels=channels_choice, classes=classes_choice)
    report(f'{request.data}: {len(found.headers):,} images')
    _report(report, choices)

    dataset = dict(
        type='ImageFolderDataset',
        data_root=asked['data'],
        image_size=size,
        channels=channels,
        bit_depth=request.bit_depth or 'error',
        labels=request.labels if num_classes else False,
        max_corrupt=count_replaceable(found),
    )
    dataset, choices['data'] = _pack(dataset, path.parent, budget, progress)
    iterations = wanted_iterations(budget)
    augmentation, choices['augmentation'] = choose_augmentation(len(found.headers), iterations)
    _report(report, choices, 'data', 'augmentation')
    plan = Plan(
        request=asked,
        path=str(path),
        work_dir=str(path.parent),
        dataset=dataset,
        num_workers=_count_workers(dataset, device),
        on_gpu=device != 'cpu',
        image_shape=(ImageDecoder(channels).num_channels, *size),
        num_classes=num_classes,
        networks=Networks(size),
        batch_size=BATCH_SIZE,
        augmentation=augmentation,
        choices=choices,
    )
    plan, seconds = _fit_networks(plan, budget)
    _report(report, plan.choices, 'networks', 'precision')
    plan, scoring = _choose_validation(plan, len(found.headers), budget)
    left = budget - scoring - (time.monotonic() - started)
    plan = _choose_length(plan, budget, left, seconds)
    _report(report, plan.choices, 'validation', 'iterations')
    if path.is_file():  # it may have been edited
        path.replace(path.with_name(f'{path.stem}_before_{time.strftime("%Y%m%d_%H%M%S")}.py'))
    with atomic_write(path) as temporary:
        temporary.write_text(config_text(plan))
    report(f'  {"config":<{_WIDTH}}  {path}')
    return path


def find_config(request: Request) -> Path:
    """The config of an earlier plan, to go on with.

    Args:
        request: As then; what is None may have been anything.

    Raises:
        OSError: If there is no such data, or no such plan.
        ValueError: If the plan was for something else.
    """
    size = request.size
    if size is None:
        size = choose_size(describe(request.data, request.channels), None, get_device())[0]
    path = _config_path(request, size)
    if not path.is_file():
        raise FileNotFoundError(
            f"--resume needs a plan, got no '{path}'. Pass the --size and --work-dir of the "
            'training to go on with, or leave --resume out to begin.'
        )
    given = {key: value for key, value in _asked(request).items() if value is not None}
    _compare(path, given, 'Leave these options out to go on, or --resume to begin.')
    return path


def _asked(request: Request) -> dict[str, Any]:
    """The request as the config has it."""
    asked = dataclasses.asdict(request)
    del asked['work_dir']
    asked['data'] = str(Path(request.data).expanduser().resolve())
    return asked


def _config_path(request: Request, size: tuple[int, ...]) -> Path:
    data = Path(request.data).expanduser().resolve()
    sides = size[:1] if size[0] == size[-1] else size
    name = f'{data.stem if data.is_file() else data.name}-{"x".join(map(str, sides))}'
    return Path(request.work_dir or f'work_dirs/{name}', f'{name}.py')


def _check_work_dir(path: Path, asked: Mapping[str, Any]) -> None:
    """Check that the folder of a config has no other training."""
    remedy = f"Pass another --work-dir, or delete '{path.parent}'."
    if path.is_file():
        _compare(path, asked, remedy)
    elif (path.parent / 'last_checkpoint').is_file():
        raise ValueError(f"'{path.parent}' must be a new folder, got one with a training. {remedy}")


def _compare(path: Path, asked: Mapping[str, Any], remedy: str) -> None:
    try:
        planned = read_settings(path.read_text(), ['_request'])['_request']
    except (KeyError, ValueError) as error:
        text = f"'{path}' must be a config of train --data, got {type(error).__name__}: {error}."
        raise ValueError(f'{text} Pass another --work-dir.') from None
    differ = [key for key, value in asked.items() if planned.get(key) != value]
    if differ:
        then, now = (
            ', '.join(f'{key}={source.get(key)!r}' for key in differ) for source in (planned, asked)
        )
        raise ValueError(f"'{path}' must be for {now}, got {then}. {remedy}")


def _report(report: Callable[[str], Any], choices: Mapping[str, Choice], *names: str) -> None:
    for name in names or choices:
        report(f'  {name:<{_WIDTH}}  {choices[name].text}: {choices[name].reason}')


def _pack(
    dataset: dict[str, Any], work_dir: Path, budget: float, progress: Progress
) -> tuple[dict[str, Any], Choice]:
    """Pack the images if they fit; returns the dataset of the training."""
    images = ImageFolderDataset(**{key: value for key, value in dataset.items() if key != 'type'})
    digest = hashlib.sha256(f'{dataset}{images.fingerprint()}'.encode()).hexdigest()
    # The last part of the path names the data in reports.
    folder = work_dir / f'packed_{digest[:8]}' / images.metainfo['dataset']
    num_bytes = len(images) * torch.Size(images.image_shape or ()).numel()
    num_bytes *= 2 if dataset['bit_depth'] == 16 else 1
    packed = dict(type='PackedImageDataset', data_root=str(folder.resolve()))
    size = f'{num_bytes / 2**20:,.1f} MiB'
    if folder.is_dir():
        return packed, Choice('packed', f'{size} in {folder.parent.name}, from an earlier start')
    memory = (machine()['memory_gib'] or 4) * 2**30
    if num_bytes > min(_PACKED_SHARE * memory, shutil.disk_usage(_existing(work_dir)).free / 2):
        return dataset, Choice('read from the files', f'{size} are too much to pack')
    seconds = _decoding_seconds(images)
    if seconds > _PACKING_SHARE * budget:
        reason = f'packing would take {_duration(seconds)}'
        return dataset, Choice('read from the files', reason)
    with progress('packing', len(images)) as advance:
        pack_images(images, folder, available_cores(), advance)
    reason = f'{size} in {folder.parent.name}, so that each image is decoded once'
    if num := len(images.corrupt_files):
        reason += f'; {num:,} that cannot be read are replaced by others'
    return packed, Choice('packed', reason)


def _existing(folder: Path) -> Path:
    """The folder, or the nearest one above it that exists."""
    return next(path for path in (folder.resolve(), *folder.resolve().parents) if path.exists())


def _decoding_seconds(images: ImageFolderDataset) -> float:
    """How long decoding all images takes, by some of them."""
    positions = range(0, len(images), max(1, len(images) // _DECODED))
    start = time.perf_counter()
    with ThreadPoolExecutor(available_cores()) as pool:
        list(pool.map(images.__getitem__, positions))
    return (time.perf_counter() - start) * len(images) / len(positions)


def _count_workers(dataset: Mapping[str, Any], device: str) -> int:
    if dataset['type'] == 'ImageFolderDataset':
        return available_cores()
    return 0 if device == 'cpu' else 2  # a worker copies packed images to pinned memory


def _fit_networks(plan: Plan, budget: float) -> tuple[Plan, float]:
    """The widest networks that train long enough, in the faster precision; seconds an iteration."""
    init_default_scope('mmgan_lite')
    loader = Runner.build_dataloader(_config(plan).train_dataloader)
    batches = endless(loader)
    limit = min(_TIMING_SECONDS, _TIMING_SHARE * budget)
    allowed = (1 - _TIMING_SHARE) * budget / wanted_iterations(budget)

    def measure(width: int, dtype: str | None, block: int = _QUICK, seconds: float = 0) -> float:
        tried = dataclasses.replace(plan, networks=Networks(plan.networks.size, width), dtype=dtype)
        return time_iterations(_config(tried), batches, block, seconds)

    dtype, precision = None, Choice('float32', 'this machine has no instructions for bfloat16')
    if plan.request['bit_depth'] == 16:
        precision = Choice('float32', 'bfloat16 has 8 significant bits, fewer than the images')
    elif has_bfloat16(torch.device(get_device())):
        half, full = (measure(WIDTHS[1], kind) for kind in ('bfloat16', None))
        dtype = 'bfloat16' if half < full else None
        reason = f'{half:.3f} s an iteration in bfloat16, {full:.3f} s in float32'
        precision = Choice(dtype or 'float32', reason)
    width = find_widest(WIDTHS, lambda width: measure(width, dtype), allowed)
    seconds = measure(width, dtype, _BLOCK, limit / 2)
    networks = Networks(plan.networks.size, width)
    reason = f'{seconds:.3f} s an iteration of {plan.batch_size} images, by a short timing'
    text = f'ResizeConv, {"-".join(map(str, networks.channels))} channels'
    choices = {**plan.choices, 'networks': Choice(text, reason), 'precision': precision}
    return dataclasses.replace(plan, networks=networks, dtype=dtype, choices=choices), seconds


def _config(plan: Plan) -> Config:
    return Config.fromstring(config_text(plan), '.py')


def _choose_validation(plan: Plan, num_images: int, budget: float) -> tuple[Plan, float]:
    """FID while training, if it needs no download and little time; seconds that it takes."""
    # It imports torch-fidelity.
    from mmgan_lite.evaluation.torch_fidelity_adapter import inception_path

    later = 'mmgan-lite sample and mmgan-lite score compute FID afterwards'
    num_scored, seconds = 0, 0.0
    if not inception_path().is_file():
        choice = Choice('none', f"Inception's weights, 91 MB, are not downloaded; {later}")
    else:
        each = _scoring_seconds(plan.image_shape)
        # The features of the real images too, once.
        most = int(_SCORING_SHARE * budget / each / (_EVALUATIONS + 1))
        num_scored = min(num_images, most, _MAX_SCORED)
        if num_scored < min(_MIN_SCORED, num_images):
            num_scored, text = 0, f'time is enough for {most:,} images; {later}'
            choice = Choice('none', text)
        else:
            seconds = num_scored * each * (_EVALUATIONS + 1)
            text = f'FID of {num_scored:,} images, {_EVALUATIONS} times'
            choice = Choice(text, f'it takes {_duration(seconds)} in all')
    choices = {**plan.choices, 'validation': choice}
    return dataclasses.replace(plan, num_scored=num_scored, choices=choices), seconds


def _scoring_seconds(image_shape: tuple[int, int, int]) -> float:
    """How long Inception takes for an image."""
    from mmgan_lite.evaluation.extractors import InceptionV3

    images = torch.zeros(16, *image_shape, dtype=torch.uint8, device=get_device())
    extractor = InceptionV3().to(images.device)
    start = time.perf_counter()
    extractor.extract(images).features.cpu()
    return (time.perf_counter() - start) / len(images)


def _choose_length(plan: Plan, budget: float, left: float, seconds: float) -> Plan:
    """As many iterations as fit."""
    num = int((left - _OVERHEAD) / (seconds * (1 + _OVERHEAD_SHARE)))
    num = max(_MIN_ITERATIONS, num)
    reason = f'{_duration(num * seconds)} of training in a budget of {_duration(budget)}'
    if num < wanted_iterations(budget) / 2:
        reason += '; few for good images: pass a smaller --size or a longer --budget'
    choices = {**plan.choices, 'iterations': Choice(f'{num:,}', reason)}
    return dataclasses.replace(plan, iterations=num, choices=choices)


def _duration(seconds: float) -> str:
    """Such as '40 s' or '4 min 5 s' or '2 h 10 min'."""
    whole = round(seconds)
    if whole < 60:
        return f'{whole} s'
    large, small, names = (whole // 60, whole % 60, ('min', 's'))
    if whole >= 3600:
        large, small, names = (whole // 3600, whole % 3600 // 60, ('h', 'min'))
    return f'{large} {names[0]}' + (f' {small} {names[1]}' if small else '')
