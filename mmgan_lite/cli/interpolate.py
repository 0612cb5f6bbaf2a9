"""Interpolate between images of a trained GAN: latents, classes or truncations.

Example: mmgan-lite interpolate CHECKPOINT --out paths --classes 3,8
"""

import argparse
from typing import Any

from mmgan_lite.cli import options
from mmgan_lite.inference import GANInferencer
from mmgan_lite.visualization import enlarge, save_gif, save_png, viewing_scale


def parse_args() -> argparse.Namespace:
    """Parse the command line."""
    parser = argparse.ArgumentParser(
        description='Interpolate between images of a trained GAN, as PNG and GIF.',
        usage='%(prog)s [CONFIG] CHECKPOINT --out DIR [options]',
    )
    options.add_drawing(parser)
    path = parser.add_mutually_exclusive_group()
    path.add_argument('--points', default='0,1,2,3', help='from image to image (default: 0,1,2,3)')
    path.add_argument('--classes', help="from class to class, such as 3,8, or 'all'")
    path.add_argument('--truncations', help='from truncation to truncation, such as 0,0.5,1')
    text = 'for --points (default: w where the generator has it, else slerp)'
    parser.add_argument('--method', choices=['slerp', 'lerp', 'w'], help=text)
    parser.add_argument('--steps', type=int, default=16, help='frames from one to the next')
    parser.add_argument('--loop', action='store_true', help='back to the first; no truncations')
    parser.add_argument('--num', type=int, default=4, help='rows of --classes and --truncations')
    parser.add_argument('--labels', help='a row for each class of --points; else as in sample')
    parser.add_argument('--frame-ms', type=int, help='at least 20 (default: 80; truncations 500)')
    parser.add_argument('--scale', type=int, help='of the GIF (default: by the image size)')
    return parser.parse_intermixed_args()


def draw(inferencer: GANInferencer, args: argparse.Namespace) -> tuple[str, dict[str, Any]]:
    """The name of the interpolation, and the result of the inferencer."""
    num_classes = inferencer.model.num_classes
    labels = options.parse_labels(args.labels, num_classes)
    shared: dict[str, Any] = dict(seed=args.seed, use_ema=not args.no_ema)
    shared.update(truncation_cutoff=args.truncation_cutoff)
    if args.truncations is not None:
        if args.loop:
            raise ValueError('--loop cannot be combined with --truncations. Leave it out.')
        factors = _numbers('--truncations', args.truncations, float)
        return 'truncations', inferencer.sweep_truncation(factors, args.num, labels, **shared)
    shared.update(steps=args.steps, loop=args.loop, truncation=args.truncation)
    if args.classes is not None:
        if labels is not None:
            raise ValueError('--labels cannot be combined with --classes. Leave it out.')
        classes = options.parse_labels(args.classes, num_classes) or []
        return 'classes', inferencer.morph(classes, args.num, **shared)
    points = _numbers('--points', args.points, int)
    return 'latents', inferencer.interpolate(points, method=args.method, labels=labels, **shared)


def _numbers(option: str, text: str, kind: type) -> list[Any]:
    try:
        return [kind(number) for number in text.split(',')]
    except ValueError:
        raise ValueError(f'{option} must be numbers like 0,1, got {text!r}.') from None


@options.reporting()
def main() -> None:
    """Load, draw, write."""
    args = parse_args()
    options.check_folder('--out', args.out)
    inferencer = options.load_inferencer(args)
    name, result = draw(inferencer, args)
    frames, scale, frame_ms = result['frames'], args.scale, args.frame_ms
    if scale is None:
        scale = viewing_scale(*inferencer.model.image_shape[1:])
    if frame_ms is None:
        frame_ms = 500 if name == 'truncations' else 80
    # Round, or there and back, so that the animation repeats without a jump.
    frames = frames[:-1] if args.loop else [*frames, *frames[-2:0:-1]]
    frames = [enlarge(frame, scale) for frame in frames]
    with options.writing('--out', args.out):
        # First, so that an error leaves no picture behind.
        save_gif(frames, args.out / f'{name}.gif', frame_ms)
        save_png(result['visualization'], args.out / f'{name}.png')
    print(f'{name}.png and {name}.gif, of {len(frames)} frames, written to {args.out}')
