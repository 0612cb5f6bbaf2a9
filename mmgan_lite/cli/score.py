"""Score images against real ones, without a model: FID between two folders.

Example: mmgan-lite score samples photos.zip --metric FrechetDistance --metric KernelDistance
"""

import argparse
import contextlib
import json
import sys
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from mmgan_lite.cli import options
from mmgan_lite.datasets import open_images
from mmgan_lite.evaluation import FeatureExtractor, GANMetric, Report, score_images
from mmgan_lite.inference.loading import find_device
from mmgan_lite.registry import METRICS, MODELS, Registry
from mmgan_lite.utils.validation import did_you_mean


def find_part(option: str, registry: Registry, base: type, name: str) -> dict[str, Any]:
    """The config of a registered part.

    Raises:
        ValueError: If there is none of this name and base class.
    """
    parts = registry.module_dict.items()
    known = {key: part for key, part in sorted(parts) if issubclass(part, base)}
    if name not in known:
        listed = ', '.join(map(_with_scores, known.values()))
        remedy = did_you_mean(name, known, 'Register others in a module, and --import it.')
        raise ValueError(f'{option} must be one of {listed}, got {name!r}. {remedy}')
    return dict(type=name)


def _with_scores(part: type) -> str:
    """Its name, and of a metric the names of its scores, by which it may be known better."""
    scores = part.score_names if issubclass(part, GANMetric) else ()
    return f'{part.__name__} ({", ".join(scores)})' if scores else part.__name__


def score(args: argparse.Namespace) -> Report:
    """The report of the arguments."""
    options.import_modules(args.imports)
    metrics = [find_part('--metric', METRICS, GANMetric, name) for name in args.metric]
    extractor = find_part('--extractor', MODELS, FeatureExtractor, args.extractor)
    if args.weights is not None:
        extractor['weights'] = args.weights
    device = find_device(args.device)
    fake, real = open_images(args.fake), open_images(args.real)
    columns = (TextColumn('reading'), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    console = Console(file=sys.stderr)
    with Progress(*columns, console=console, disable=not sys.stderr.isatty()) as progress:
        task = progress.add_task('reading', total=len(fake) + len(real))
        return score_images(
            fake,
            real,
            extractor,
            metrics,
            args.channels,
            device,
            on_progress=lambda num: progress.advance(task, num),
        )


# A TypeError is that of an extractor which has no such argument.
@options.reporting(errors=(OSError, TypeError, ValueError))
def main() -> None:
    """Open, score, and print the report; all else goes to standard error."""
    kinds = 'a folder, a .zip, an .npz, or a folder of pack-dataset'
    parser = argparse.ArgumentParser(
        description=f'Score images against real ones. Each of the two is {kinds}.'
    )
    add = parser.add_argument
    add('fake', metavar='FAKE', help='generated images')
    add('real', metavar='REAL', help='real images; their features are cached')
    text = 'class of a metric, may be repeated (default: FrechetDistance, which is FID)'
    add('--metric', action='append', default=[], metavar='NAME', help=text)
    text = 'class of a feature extractor (default: InceptionV3); MNISTClassifier for digits'
    add('--extractor', default='InceptionV3', metavar='NAME', help=text)
    text = "file of the extractor's weights (default: its own; those of Inception are downloaded)"
    add('--weights', metavar='FILE', help=text)
    text = '1: gray, 2: gray and alpha, 3: RGB, 4: RGB and alpha, 5 or more: bands'
    text += ' (default: gray if all images are stored as gray, else RGB)'
    add('--channels', type=options.positive_int, metavar='C', help=text)
    options.add_imports(parser, 'modules that register metrics or extractors')
    options.add_device(parser)
    add('--json', action='store_true', help='print the report as JSON')
    args = parser.parse_args()
    with contextlib.redirect_stdout(sys.stderr):
        report = score(args)
    print(json.dumps(report.to_dict(), indent=2) if args.json else report.table())
