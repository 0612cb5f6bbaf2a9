"""Check the package on a GPU in at most ten minutes: the tests that need one, and the speed.

usage: PYTHONPATH=. python tools/dev/gpu_check.py [--device cpu] [--sections NAME ...] [--out FILE]

Needs a clone, the package's requirements and pytest; no network and no data set. Each section runs
in a process of its own with a time limit, and the file is written after each. ``--device cpu``
runs the same code on tiny networks, to test this script.
"""

import argparse
import contextlib
import json
import os
import signal
import subprocess
import sys
import tempfile
import time
import traceback
import xml.etree.ElementTree as ElementTree
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from mmengine.config import Config
from mmengine.device import get_device
from mmengine.optim import build_optim_wrapper
from mmengine.registry import init_default_scope

import mmgan_lite
from mmgan_lite.engine.benchmark import benchmark_training, figure
from mmgan_lite.registry import MODELS
from mmgan_lite.utils.atomic_io import atomic_write
from mmgan_lite.utils.environment import machine, versions

REPO = Path(__file__).resolve().parents[2]
GRACE = 5  # seconds from the request to end to the end
BFLOAT16 = {f'optim_wrapper.{name}.dtype': 'bfloat16' for name in ('generator', 'discriminator')}
FLOAT16 = {f'optim_wrapper.{name}.dtype': 'float16' for name in ('generator', 'discriminator')}
CHANNELS_LAST = {'model.channels_last': True}
# The digits are in the package. The sizes are those of the tables in docs/speed_and_scale.md.
MLP = ('gan_mlp_digits-28x28', {})
DCGAN = (
    'dcgan_mnist-28x28',
    {
        'model.generator.base_channels': 128,
        'model.discriminator.base_channels': 128,
        'model.discriminator.norm': False,
        'train_dataloader.dataset': dict(_delete_=True, type='DigitsDataset'),
    },
)
R3GAN = ('r3gan_cifar10-32x32', {})
TINY = {
    'MLPGenerator': dict(hidden_dims=(8, 8)),
    'MLPDiscriminator': dict(hidden_dims=(8, 8)),
    'DCGANGenerator': dict(base_channels=4),
    'DCGANDiscriminator': dict(base_channels=4),
    'R3GANGenerator': dict(channels=4, cardinality=2, blocks_per_stage=1),
    'R3GANDiscriminator': dict(channels=4, cardinality=2, blocks_per_stage=1),
}


class SkippedError(Exception):
    """A section that has nothing to do on this machine."""


def environment() -> dict[str, Any]:
    """Versions, and the device with what decides its speed."""
    found: dict[str, Any] = dict(versions=versions(), machine=machine())
    found['float32_matmul_precision'] = torch.get_float32_matmul_precision()
    if get_device() == 'cuda':
        properties = torch.cuda.get_device_properties(0)
        found |= dict(
            device_memory_gib=round(properties.total_memory / 2**30, 1),
            compute_capability=f'{properties.major}.{properties.minor}',
            cudnn=torch.backends.cudnn.version(),
            cudnn_allow_tf32=torch.backends.cudnn.allow_tf32,
            nccl='.'.join(map(str, torch.cuda.nccl.version())),
        )
    return found


def tests() -> dict[str, Any]:
    """The tests that are marked ``gpu``."""
    # Named, as collecting all tests takes long.
    files = sorted((REPO / 'tests').rglob('test_*.py'))
    files = [str(path) for path in files if '\n@pytest.mark.gpu\n' in path.read_text()]
    with tempfile.TemporaryDirectory() as folder:
        report = Path(folder, 'report.xml')
        options = ['-q', '-m', 'gpu', '-p', 'no:cacheprovider', f'--junitxml={report}']
        done = subprocess.run([sys.executable, '-m', 'pytest', *options, *files], cwd=REPO)
        if not report.is_file():
            raise RuntimeError(f'pytest ended with exit status {done.returncode}, see above')
        cases = list(ElementTree.parse(report).iter('testcase'))
    outcomes = {tag: [] for tag in ('failure', 'error', 'skipped')}
    for case in cases:
        for tag in filter(outcomes.__contains__, {child.tag for child in case}):
            outcomes[tag].append(f'{case.get("classname")}.{case.get("name")}')
    if bad := outcomes['failure'] + outcomes['error']:
        raise RuntimeError(f'{len(bad)} of {len(cases)} tests failed: {", ".join(bad)}')
    if done.returncode != 0 or not cases:
        raise RuntimeError(f'pytest ended with exit status {done.returncode}, see above')
    skipped = len(outcomes['skipped'])
    if skipped == len(cases):
        raise SkippedError(f'no CUDA device: {skipped} tests')
    return dict(passed=len(cases) - skipped, skipped=skipped)


def cuda_graph() -> dict[str, Any]:
    """The training step of the MLP, launched kernel by kernel and replayed."""
    if get_device() != 'cuda':
        raise SkippedError('no CUDA device')
    graph = {'model.cuda_graph': True}
    return {
        'eager': time_steps(MLP, 64),
        'graph': time_steps(MLP, 64, graph),
        'bfloat16': time_steps(MLP, 64, BFLOAT16),
        'graph, bfloat16': time_steps(MLP, 64, graph | BFLOAT16),
    }


def precision() -> dict[str, Any]:
    """The training step of the DCGAN in each precision and memory format."""
    return {
        'float32': time_steps(DCGAN, 64),
        'float32, channels_last': time_steps(DCGAN, 64, CHANNELS_LAST),
        'bfloat16': time_steps(DCGAN, 64, BFLOAT16),
        'bfloat16, channels_last': time_steps(DCGAN, 64, BFLOAT16 | CHANNELS_LAST),
        'float16': time_steps(DCGAN, 64, FLOAT16),
    }


def r3gan() -> dict[str, Any]:
    """The training step of R3GAN with the networks for CIFAR-10, on random images."""
    return {
        'float32': time_steps(R3GAN, 64, iters=4),
        'bfloat16': time_steps(R3GAN, 64, BFLOAT16, iters=4),
        'bfloat16, channels_last': time_steps(R3GAN, 64, BFLOAT16 | CHANNELS_LAST, iters=4),
    }


def benchmark() -> dict[str, Any]:
    """Training by the Runner beside the reference loop, as in ``mmgan-lite benchmark``."""
    figures = {}
    for name, (network, batch_size) in dict(
        mlp_64=(MLP, 64), mlp_256=(MLP, 256), dcgan_64=(DCGAN, 64)
    ).items():
        cfg = load(network, batch_size)
        if get_device() == 'cuda':
            torch.cuda.reset_peak_memory_stats()
        iters, blocks = (2, 2) if get_device() == 'cpu' else (50, 7)
        report = benchmark_training(cfg, iters, blocks)
        figures[name] = dict(
            batch_size=report['batch_size'],
            runner=report['figures']['runner'],
            reference_loop=report['figures']['reference_loop'],
            reference_to_runner=report['reference_to_runner'],
            device_peak_mib=report['memory']['device_peak_mib'],
            notes=report['notes'],
        )
    return figures


def distributed() -> dict[str, Any]:
    """Training of the MLP by the Runner in one and two processes of torchrun; NCCL on GPUs.

    On one GPU only in one, and on a CPU only in two.
    """
    figures: dict[str, Any] = {}
    with tempfile.TemporaryDirectory() as folder:
        config, out = Path(folder, 'config.py'), Path(folder, 'report.json')
        load(MLP, 64).dump(config)
        counts = {0: [2], 1: [1]}.get(torch.cuda.device_count(), [1, 2])
        for count in counts:
            launch = ['-m', 'torch.distributed.run', '--standalone', f'--nproc-per-node={count}']
            command = ['-m', 'mmgan_lite.cli.benchmark', str(config), '--runner-only']
            command += ['--launcher', 'pytorch', '--out', str(out), '--blocks', '3', '--iters']
            command += ['2' if get_device() == 'cpu' else '50']
            subprocess.run([sys.executable, *launch, *command], check=True)
            report = json.loads(out.read_text())
            assert report['processes'] == count
            figures[f'{count} processes'] = report['figures']['runner']
    return figures


Section = Callable[[], dict[str, Any]]
# In the order of what is needed most, each with its limit in seconds.
SECTIONS: dict[str, tuple[Section, float]] = dict(
    environment=(environment, 30),
    tests=(tests, 100),
    cuda_graph=(cuda_graph, 50),
    precision=(precision, 70),
    r3gan=(r3gan, 100),
    benchmark=(benchmark, 80),
    distributed=(distributed, 60),
)


def load(network: tuple[str, dict], batch_size: int, options: dict | None = None) -> Config:
    """A config with other settings; on a CPU with tiny networks and batches of 4."""
    name, own = network
    cfg = mmgan_lite.get_config(name)
    cfg.merge_from_dict(own | (options or {}))
    cfg.train_dataloader.batch_size = batch_size
    if get_device() == 'cpu':
        cfg.train_dataloader.batch_size = 4
        for part in (cfg.model.generator, cfg.model.discriminator):
            part.update(TINY[part.type])
    return cfg


def time_steps(
    network: tuple[str, dict], batch_size: int, options: dict | None = None, iters: int = 50
) -> dict[str, Any]:
    """Measure ``train_step`` on one batch of random images: three blocks after a warm-up.

    Returns:
        What :func:`~mmgan_lite.engine.benchmark.figure` gives; ``batch_size``; ``device_peak_mib``;
        ``losses``, of the last iteration.

    Raises:
        RuntimeError: If a loss is not finite.
    """
    cfg = load(network, batch_size, options)
    init_default_scope('mmgan_lite')
    device, size = get_device(), cfg.train_dataloader.batch_size
    if device == 'cpu':
        iters = 1
    else:
        torch.cuda.empty_cache()
        torch.cuda.reset_peak_memory_stats()
    torch.manual_seed(0)
    model = MODELS.build(cfg.model).to(device).train()
    optim_wrapper = build_optim_wrapper(model, cfg.optim_wrapper)
    stream = np.random.default_rng(0)
    images = stream.integers(0, 256, (size, *model.image_shape), dtype=np.uint8)
    batch = dict(inputs=torch.from_numpy(images).to(device))
    if model.num_classes is not None:
        labels = stream.integers(0, model.num_classes, size)
        batch['labels'] = torch.from_numpy(labels).to(device)

    def block(count: int) -> tuple[float, dict[str, Any]]:
        torch.get_device_module(device).synchronize()
        start = time.perf_counter()
        for _ in range(count):
            log = model.train_step(batch, optim_wrapper)
        torch.get_device_module(device).synchronize()
        return (time.perf_counter() - start) / count, log

    block(1 if device == 'cpu' else 5)  # chooses kernels, makes states, records the graph
    blocks = [block(iters) for _ in range(3)]
    losses = {key: value.item() for key, value in blocks[-1][1].items() if 'loss' in key}
    if not np.isfinite(list(losses.values())).all():
        raise RuntimeError(f'losses must be finite, got {losses} with {options or {}}')
    peak = torch.cuda.max_memory_allocated() / 2**20 if device == 'cuda' else None
    seconds = [each for each, _ in blocks]
    return dict(figure(seconds, size), batch_size=size, device_peak_mib=peak, losses=losses)


def run_here(name: str) -> dict[str, Any]:
    """The result of a section that runs in this process: ``status`` and ``figures`` or ``reason``.

    'passed', 'failed', or 'skipped' where it has nothing to do on this machine.
    """
    try:
        return dict(status='passed', figures=SECTIONS[name][0]())
    except SkippedError as error:
        return dict(status='skipped', reason=str(error))
    except Exception:
        return dict(status='failed', reason=traceback.format_exc())


def run_aside(command: Sequence[str], limit: float) -> tuple[bool, str]:
    """Run a command in a process group of its own, which is ended at the limit.

    Returns:
        Whether it ended by itself, and the end of its output.
    """
    with tempfile.TemporaryFile('w+', errors='replace') as output:
        process = subprocess.Popen(
            command, stdout=output, stderr=subprocess.STDOUT, start_new_session=True
        )
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(limit)
        ended = process.returncode is not None
        # torchrun's processes are in groups of their own; it ends them when asked to end.
        for request in (signal.SIGTERM, signal.SIGKILL):
            with contextlib.suppress(ProcessLookupError):  # nobody is left in the group
                os.killpg(process.pid, request)
                _wait_for_group(process)
        output.seek(0)
        return ended, output.read()[-5000:]


def _wait_for_group(process: subprocess.Popen) -> None:
    end = time.monotonic() + GRACE
    while time.monotonic() < end:
        process.poll()  # one that has ended leaves the group when it is waited for
        os.killpg(process.pid, 0)
        time.sleep(0.05)


def run_section(name: str, device: str) -> dict[str, Any]:
    """The result of a section that runs in a process of its own, with ``seconds`` and ``limit``."""
    limit, start = SECTIONS[name][1], time.monotonic()
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder, 'result.json')
        command = [sys.executable, __file__, '--device', device, '--sections', name]
        ended, output = run_aside([*command, '--here', '--out', str(out)], limit)
        if not ended:
            result = dict(status='timed out', reason=f'after {limit} s: {output}')
        elif not out.is_file():
            result = dict(status='failed', reason=output)
        else:
            result = json.loads(out.read_text())
            if result['status'] == 'failed':
                result['output'] = output
    return dict(result, seconds=round(time.monotonic() - start, 1), limit=limit)


def parse_args() -> argparse.Namespace:
    """Parse the command line."""
    parser = argparse.ArgumentParser(description=__doc__.partition('\n')[0])
    add = parser.add_argument
    add('--device', choices=['cuda', 'cpu'], default='cuda', help='default: cuda')
    sections = f'some of {", ".join(SECTIONS)} (default: all)'
    add(
        '--sections',
        nargs='+',
        choices=SECTIONS,
        default=[*SECTIONS],
        metavar='NAME',
        help=sections,
    )
    add('--out', type=Path, default=Path('gpu_check.json'), help='default: gpu_check.json')
    add('--here', action='store_true', help=argparse.SUPPRESS)  # the process of a section
    args = parser.parse_args()
    if args.device == 'cpu':
        os.environ['CUDA_VISIBLE_DEVICES'] = ''
    elif not torch.cuda.is_available():
        parser.error('--device cuda needs a CUDA device, found none; --device cpu tests the script')
    return args


def main() -> None:
    """Run the sections, write the file after each, and exit with 1 unless all went well."""
    args = parse_args()
    if args.here:
        write(args.out, run_here(args.sections[0]))
        return
    start, sections = time.monotonic(), {}
    for name in args.sections:
        sections[name] = result = run_section(name, args.device)
        seconds = round(time.monotonic() - start, 1)
        write(args.out, dict(device=args.device, seconds=seconds, sections=sections))
        print(f'{name}: {result["status"]} in {result["seconds"]} s', flush=True)
    bad = [name for name, result in sections.items() if result['status'] in ('failed', 'timed out')]
    if bad:
        sys.exit(f'{", ".join(bad)}: see the reasons in {args.out}')


def write(path: Path, content: dict[str, Any]) -> None:
    """Write a JSON file, whole or not at all."""
    with atomic_write(path) as temporary:
        temporary.write_text(json.dumps(content, indent=1) + '\n')


if __name__ == '__main__':
    main()
