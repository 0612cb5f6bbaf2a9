"""Options that several commands share: config, overrides, launcher, weights, output paths."""

import argparse
import importlib
import os
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mmengine.config import Config, DictAction

from mmgan_lite.catalog import CONFIG_SUFFIXES, list_configs, read_config, set_data_root
from mmgan_lite.utils.migration import former_hooks

if TYPE_CHECKING:
    from mmgan_lite.inference import LoadedModel


def end_command(message: str) -> None:
    """End the command with exit code 1 and a message."""
    raise SystemExit(f'error: {message}')


@contextmanager
def reporting(
    report: Callable[[str], Any] = end_command,
    errors: type[Exception] | tuple[type[Exception], ...] = ValueError,
) -> Iterator[None]:
    """Report an error of the user by its message, without a traceback.

    Args:
        report: Ends the command, given the message; ``parser.error`` with exit code 2.
        errors: The types that are errors of the user.
    """
    try:
        yield
    except errors as error:
        report(str(error))


# What a dataset raises for a folder that is not the right one, or for a damaged file.
DATA_ERRORS = (OSError, ValueError)


def add_config(parser: argparse.ArgumentParser, optional: bool = False) -> None:
    """Add the config, its overrides, and the folder of its data."""
    text = 'path of a config, or name of one of the package'
    parser.add_argument('config', nargs='?' if optional else None, help=text)
    add_cfg_options(parser)
    parser.add_argument('--data-root', metavar='FOLDER', help='data_root of every dataset in it')


def add_cfg_options(parser: argparse.ArgumentParser) -> None:
    """Add the overrides of a config."""
    text = 'override settings, such as model.generator.latent_dim=64'
    values = dict(nargs='+', type=_override, action=DictAction, default={}, metavar='KEY=VALUE')
    parser.add_argument('--cfg-options', help=text, **values)


def _override(text: str) -> str:
    if '=' not in text:
        raise argparse.ArgumentTypeError(f'must be KEY=VALUE, got {text!r}')
    return text


def positive_int(text: str) -> int:
    """Type of an argument that is an int of at least 1."""
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f'must be an int of at least 1, got {text!r}')
    return int(text)


@reporting()
def load_config(args: argparse.Namespace) -> Config:
    """The config of the arguments that :func:`add_config` adds, with its overrides.

    Raises:
        SystemExit: If it is neither a config file nor a name.
    """
    return override_config(read_config(args.config), args.cfg_options, args.data_root)


def override_config(cfg: Config, cfg_options: Mapping, data_root: str | None = None) -> Config:
    """Apply the options to a config, in place.

    Raises:
        ValueError: If there is a ``data_root``, but no dataset takes it.
    """
    if data_root is not None:
        set_data_root(cfg, data_root)
    cfg.merge_from_dict(cfg_options)
    former_hooks(cfg)
    return cfg


def add_run(parser: argparse.ArgumentParser, optional_config: bool = False) -> None:
    """Add the config, and the options of all that starts a Runner."""
    add_config(parser, optional_config)
    text = "where the output goes (default: the config's work_dir)"
    parser.add_argument('--work-dir', metavar='DIR', help=text)
    add_launcher(parser)
    add_allow_mmengine_types(parser)


def load_run(args: argparse.Namespace) -> Config:
    """The config of the arguments that :func:`add_run` adds; the Runner will run no code in files.

    Raises:
        SystemExit: As :func:`load_config`.
    """
    from mmgan_lite.engine.mmengine_compat import use_safe_loader

    cfg = load_config(args)
    cfg.work_dir = args.work_dir or cfg.get('work_dir') or f'work_dirs/{Path(args.config).stem}'
    use_safe_loader(args.allow_mmengine_types)
    if args.allow_mmengine_types:
        hooks = cfg.setdefault('default_hooks', {})
        hook = hooks.get('safe_checkpoint') or dict(type='mmgan_lite.SafeCheckpointHook')
        hooks['safe_checkpoint'] = {**hook, 'allow_mmengine_types': True}
    return cfg


def start_run(cfg: Config, args: argparse.Namespace) -> None:
    """Make the folder of a run, and connect its processes.

    Raises:
        SystemExit: If the folder cannot be written to.
    """
    make_folder('--work-dir', cfg.work_dir)
    set_launcher(cfg, args)


def add_launcher(parser: argparse.ArgumentParser) -> None:
    """Add the arguments that launchers of several processes pass."""
    parser.add_argument('--launcher', choices=['none', 'pytorch', 'slurm', 'mpi'], default='none')
    # torchrun sets the environment variable; older launchers pass the argument, in either spelling.
    parser.add_argument('--local_rank', '--local-rank', type=int, default=0, help=argparse.SUPPRESS)


def set_launcher(cfg: Config, args: argparse.Namespace) -> None:
    """Set the launcher of the config, and connect its processes."""
    # It imports the Runner, which print-config does not need.
    from mmgan_lite.engine.processes import connect_processes

    cfg.launcher = args.launcher
    if args.launcher == 'pytorch':
        os.environ.setdefault('LOCAL_RANK', str(args.local_rank))
    connect_processes(cfg)


class _FormerFlag(argparse.Action):
    """``--old-checkpoint``, which prints its new name."""

    def __call__(self, parser: Any, namespace: argparse.Namespace, *_: Any) -> None:
        print('--old-checkpoint is called --allow-mmengine-types now.', file=sys.stderr)
        namespace.allow_mmengine_types = True


def add_allow_mmengine_types(parser: argparse.ArgumentParser) -> None:
    """Add the flag that checkpoints of MMEngine need."""
    text = 'read also the log history in a checkpoint that MMEngine alone wrote; no code of it runs'
    parser.add_argument('--allow-mmengine-types', action='store_true', help=text)
    parser.add_argument('--old-checkpoint', action=_FormerFlag, nargs=0, help=argparse.SUPPRESS)


def add_channel_order(parser: argparse.ArgumentParser) -> None:
    """Add the order of the channels in a checkpoint of another project."""
    text = 'of the images that the networks of a checkpoint of MMGeneration or MMagic see'
    parser.add_argument('--channel-order', choices=['rgb', 'bgr'], help=text)


def add_weights(parser: argparse.ArgumentParser) -> None:
    """Add the weights of a trained model, and its config if that is not inside.

    Parse with ``parse_intermixed_args``, as options may be between the two.
    """
    add = parser.add_argument
    text = (
        'file of train, publish-model, another project; before it, CONFIG in place of that inside'
    )
    add('files', nargs='+', metavar='CHECKPOINT', help=text)
    add_cfg_options(parser)
    add_imports(parser, 'modules that register parts of the model; a checkpoint never imports any')
    add_allow_mmengine_types(parser)
    add_channel_order(parser)
    add_device(parser)
    add('--no-ema', action='store_true', help='the last weights, not their average')


def add_imports(parser: argparse.ArgumentParser, text: str) -> None:
    """Add modules to import, for :func:`import_modules`."""
    values = dict(nargs='+', default=[], metavar='MODULE')
    parser.add_argument('--import', dest='imports', help=text, **values)  # type: ignore[arg-type]


def add_device(parser: argparse.ArgumentParser) -> None:
    """Add the device, for ``find_device``."""
    parser.add_argument('--device', help='cpu, cuda, ... (default: a GPU if there is one)')


def add_drawing(parser: argparse.ArgumentParser) -> None:
    """Add the weights, and the options of all that draws images of them."""
    add_weights(parser)
    add = parser.add_argument
    add('--out', type=Path, required=True, metavar='DIR', help='output folder')
    add('--seed', type=int, default=0, help='same seed, same images (default: 0)')
    text = 'in [0, 1], of the latents, or in W: less for images that are more typical, less varied'
    add('--truncation', type=float, default=1.0, help=text)
    text = 'truncate the first so many layers of a generator with W (default: all)'
    add('--truncation-cutoff', type=int, metavar='LAYERS', help=text)


# A TypeError is that of a part which has no such argument.
@reporting(errors=(TypeError, ValueError))
def load_inferencer(args: argparse.Namespace, kind: str = 'GANInferencer') -> Any:
    """The inferencer of the weights that :func:`add_weights` adds.

    Args:
        args: With ``files``, of which the last is the checkpoint.
        kind: Name of the inferencer.

    Raises:
        SystemExit: If there are more files than two, the last is no checkpoint, or the inferencer
            refuses them.
    """
    # It imports torch, which print-config does not need.
    from mmgan_lite import inference

    config, checkpoint = _given_weights(args)
    return vars(inference)[kind](
        config,
        checkpoint,
        args.device,
        args.allow_mmengine_types,
        channel_order=args.channel_order,
    )


@reporting(errors=(TypeError, ValueError))
def load_trained(args: argparse.Namespace) -> 'LoadedModel':
    """The model of these weights, whatever it does; in eval mode on the device.

    Raises:
        SystemExit: As :func:`load_inferencer`.
    """
    from mmgan_lite.inference import load_model
    from mmgan_lite.inference.loading import find_device

    loaded = load_model(
        *_given_weights(args), args.allow_mmengine_types, channel_order=args.channel_order
    )
    loaded.model.to(find_device(args.device)).eval()
    return loaded


def _given_weights(args: argparse.Namespace) -> tuple[Config | None, str]:
    """The config, if there is one, and the checkpoint; the modules of the user are imported."""
    *configs, checkpoint = args.files
    if len(configs) > 1:
        raise ValueError(f'pass CHECKPOINT, or CONFIG CHECKPOINT; got {args.files}')
    if Path(checkpoint).suffix in CONFIG_SUFFIXES or checkpoint in list_configs():
        text = f'CHECKPOINT is missing: {checkpoint!r} is a config, which has no weights.'
        raise ValueError(f'{text} Pass CONFIG CHECKPOINT, or CHECKPOINT alone.')
    if args.cfg_options and not configs:
        raise ValueError('--cfg-options changes a config: pass CONFIG CHECKPOINT')
    import_modules(args.imports)
    config = override_config(read_config(configs[0]), args.cfg_options) if configs else None
    return config, checkpoint


def import_modules(names: list[str]) -> None:
    """Import modules of the user, from the current folder too.

    Raises:
        ValueError: If one cannot be imported.
    """
    sys.path.insert(0, os.getcwd())  # as with python -m, a user's own modules are found
    try:
        for name in names:
            importlib.import_module(name)
    except (ImportError, TypeError, ValueError) as error:  # the last two: '.x' and ''
        text = f'--import must name modules that Python can import, got {name!r} ({error}).'
        remedy = 'Start in the folder it is in, or set PYTHONPATH to that; give a.b for a/b.py.'
        raise ValueError(f'{text} {remedy}') from None
    finally:
        sys.path.pop(0)


def parse_bit_depth(words: list[str]) -> int | str | list[float]:
    """Parse ['scale'], ['16'] or ['0', '4095'] to ``bit_depth`` of a dataset.

    Raises:
        ValueError: If they are several words that are no numbers.
    """
    if len(words) == 1:
        return 16 if words[0] == '16' else words[0]
    try:
        return [float(word) for word in words]
    except ValueError:
        text = f"--bit-depth must be 'scale', 16 or two numbers, got {' '.join(words)!r}."
        raise ValueError(f'{text} Pass 0 4095 for 12 bits.') from None


def check_folder(option: str, folder: str | Path) -> None:
    """End the command unless files can be written to a folder, which may not exist yet.

    Raises:
        SystemExit: If it, or the nearest existing folder above it, cannot be written to.
    """
    existing = Path(folder).absolute()
    while not os.path.lexists(existing):
        existing = existing.parent
    with writing(option, folder):
        if not existing.is_dir():
            raise NotADirectoryError(f'{str(existing)!r} is no folder')
        if not os.access(existing, os.W_OK | os.X_OK):
            raise PermissionError(f'{str(existing)!r} is read-only')


def check_file(option: str, path: Path) -> None:
    """:func:`check_folder` for the folder of a file.

    Raises:
        SystemExit: If it is a folder, or its folder cannot be written to.
    """
    if path.is_dir():
        end_command(f'{option} must be a file, but {str(path)!r} is a directory. Add a file name.')
    check_folder(option, path.parent)


def make_folder(option: str, folder: str | Path) -> None:
    """Make a folder; end the command unless it can be written to.

    Raises:
        SystemExit: If it cannot be made or written to.
    """
    check_folder(option, folder)
    with writing(option, folder):
        Path(folder).mkdir(parents=True, exist_ok=True)
        tempfile.TemporaryFile(dir=folder).close()


@contextmanager
def writing(option: str, path: str | Path) -> Iterator[None]:
    """Turn an error of the file system into one of the command, with path and remedy.

    Raises:
        SystemExit: In place of an ``OSError``.
    """
    try:
        yield
    except OSError as error:
        text = f'{option} must be a writable path, got {str(path)!r} ({error}).'
        end_command(f'{text} Pass a folder with write permission and free space.')


@contextmanager
def keeping_work_dir(work_dir: str) -> Iterator[None]:
    """End the command in one line if its training has not, or no longer, the folder for itself.

    Raises:
        SystemExit: In place of an ``OSError`` of a file in ``work_dir``, and of a
            ``WorkDirInUseError``.
    """
    # It imports torch, which print-config does not need.
    from mmgan_lite.engine.resume.work_dir_lock import WorkDirInUseError

    try:
        yield
    except WorkDirInUseError as error:
        end_command(str(error))
    except OSError as error:
        name = error.filename
        if name is None or Path(work_dir).resolve() not in Path(name).resolve().parents:
            raise
        text = f'work_dir must be writable as long as training runs, got {work_dir!r} ({error}).'
        end_command(f'{text} Give it write permission and free space, then go on by --resume.')


def add_channels(parser: 'argparse.ArgumentParser | argparse._ArgumentGroup') -> None:
    """Add the channels of images in files, as :class:`ImageDecoder` takes them."""
    text = 'L: gray, RGB, RGBA, or the number of bands; default: gray if all images are, else RGB'
    parser.add_argument('--channels', type=_channels, metavar='NAME', help=text)


def _channels(text: str) -> int | str:
    return int(text) if text.isdecimal() else text


@contextmanager
def progress(name: str, total: int) -> Iterator[Callable[[int], Any]]:
    """A bar on standard error, if that is a terminal; call what it gives with each number done."""
    # It takes a while to load, and few commands need it.
    from rich.console import Console
    from rich.progress import (
        BarColumn,
        MofNCompleteColumn,
        Progress,
        TextColumn,
        TimeRemainingColumn,
    )

    columns = (TextColumn(name), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    console = Console(file=sys.stderr)
    with Progress(*columns, console=console, disable=not sys.stderr.isatty()) as bar:
        task = bar.add_task(name, total=total)
        yield lambda num: bar.advance(task, num)


def parse_labels(text: str | None, num_classes: int | None) -> list[int | str] | None:
    """Parse '3,7', 'cat,dog' or 'all' to numbers and names of classes.

    Raises:
        ValueError: If it is 'all', but the model has none.
    """
    if text is None:
        return None
    if text == 'all':
        if num_classes is None:
            raise ValueError('classes need a conditional model, but this has no classes')
        return list(range(num_classes))
    labels = [label.strip() for label in text.split(',')]
    return [int(label) if label.removeprefix('-').isdecimal() else label for label in labels]
