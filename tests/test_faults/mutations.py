"""What can go wrong with a config or a file, at random but the same for the same seed.

Each mutation is one mistake that people, editors, disks and networks make. It is drawn from
``random.Random(number)``, so that number 17 is the same everywhere and can be run by itself.
"""

import copy
import random
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

_OTHER_TYPES = ('thirty', [1, 2, 3], None, dict(a=1), 3.5, -1, True)


class Mutation(NamedTuple):
    """One mistake in a config.

    Attributes:
        kind: 'drop', 'rename', 'mistype' (a word with a typo in it) or 'retype' (a value of another
            type).
        path: Where it was made, keys and positions.
        key: The key that an error must name: the new one of a renamed entry.
        value: What stands there now; None where nothing does.
    """

    kind: str
    path: tuple
    key: str
    value: Any


def mutate_config(cfg: dict, number: int, spared: tuple = ()) -> tuple[dict, Mutation]:
    """A copy of a plain config with one mistake, and which; what lies at ``spared`` has none."""
    draw = random.Random(number)
    cfg = copy.deepcopy(cfg)
    kind = ('drop', 'rename', 'mistype', 'retype')[number % 4]
    places = [p for p in _places(cfg) if not spared or p[: len(spared)] != spared]
    places = [p for p in places if kind != 'mistype' or isinstance(_at(cfg, p), str)]
    path = draw.choice([p for p in places if isinstance(p[-1], str) or kind in ('mistype',)])
    parent, key = _at(cfg, path[:-1]), path[-1]
    if kind == 'drop':
        del parent[key]
        return cfg, Mutation(kind, path, _key(path), None)
    if kind == 'rename':
        name = _typo(key, draw)
        # In the same place: the order of a config can matter.
        entries = {name if k == key else k: v for k, v in parent.items()}
        parent.clear()
        parent.update(entries)
        return cfg, Mutation(kind, path, name, parent[name])
    old = parent[key]
    if kind == 'mistype':
        parent[key] = _typo(old, draw)
    else:
        parent[key] = draw.choice([v for v in _OTHER_TYPES if type(v) is not type(old)])
    return cfg, Mutation(kind, path, _key(path), parent[key])


def _places(value: Any, path: tuple = ()) -> Iterator[tuple]:
    items: Any = ()
    if isinstance(value, Mapping):
        items = value.items()
    elif isinstance(value, (list, tuple)) and any(isinstance(v, (Mapping, str)) for v in value):
        items = enumerate(value)
    for key, item in items:
        yield (*path, key)
        yield from _places(item, (*path, key))


def _at(cfg: Any, path: tuple) -> Any:
    for key in path:
        cfg = cfg[key]
    return cfg


def _key(path: tuple) -> str:
    """The last name in a path, which may end in a position."""
    return next(part for part in reversed(path) if isinstance(part, str))


def _typo(word: str, draw: random.Random) -> str:
    """The word with a letter left out, doubled, or two of them exchanged; never the same."""
    for _ in range(20):
        i = draw.randrange(len(word)) if word else 0
        typo = draw.choice(
            [
                word[:i] + word[i + 1 :],
                word[:i] + word[i : i + 1] + word[i:],
                word[:i] + word[i + 1 : i + 2] + word[i : i + 1] + word[i + 2 :],
            ]
        )
        if typo and typo != word and not typo.startswith('_'):
            return typo
    return f'{word}x'


FILE_KINDS = ('truncated', 'bit', 'bits', 'empty', 'zeros', 'longer', 'text', 'other', 'pickle')


def mutate_file(content: bytes, number: int, other: bytes) -> tuple[bytes, str]:
    """A damaged version of a file, and which kind of damage.

    Args:
        content: The file.
        number: Of the mutation.
        other: A file of another type, for the one that takes its place.
    """
    draw = random.Random(number)
    # Flipped bits are what is hardest to find: as often as all else together.
    kind = draw.choice((*FILE_KINDS, 'bit', 'bit', 'bits', 'bits', 'truncated'))
    changed = bytearray(content)
    if kind == 'truncated':
        del changed[draw.randrange(1, len(content)) :]
    elif kind in ('bit', 'bits'):
        for _ in range(1 if kind == 'bit' else 20):
            changed[draw.randrange(len(changed))] ^= 1 << draw.randrange(8)
    elif kind == 'zeros':  # a block that a disk lost
        start = draw.randrange(len(changed))
        length = min(64, len(changed) - start)
        changed[start : start + length] = bytes(length)
    elif kind == 'longer':
        changed += draw.randbytes(draw.randrange(1, 100))
    else:
        changed = bytearray(
            {
                'empty': b'',
                'text': b'<html><body>404 Not Found</body></html>\n',
                'other': other,
                # Would make a file named "ran" where it runs.
                'pickle': b"cbuiltins\nopen\n(S'ran'\nS'w'\ntR.",
            }[kind]
        )
    return bytes(changed), kind
