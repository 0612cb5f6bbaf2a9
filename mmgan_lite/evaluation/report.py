"""Numbers with what they mean."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class Score:
    """One number.

    Args:
        name: With the extractor's in brackets, such as 'FID[mnist-classifier]'; only Inception's
            scores go without.
        value: It.
        floor: What real images score in the place of the fakes; None where it is not known.
        settings: What else it depends on, by name.
    """

    name: str
    value: float
    floor: float | None = None
    settings: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Report:
    """The scores of an evaluation, and its protocol.

    Args:
        scores: In the order of the metrics.
        extractor: Its name.
        extractor_sha256: Of its weights, 64 hexadecimal digits.
        num_features: F, its width.
        num_fakes: N.
        weights: Which of the generator's weights drew them: 'EMA', 'last' or None.
        real_data: Name and split of the real images.
        num_reals: How many there are.
        floor: In words, which images stood in the place of the fakes.
    """

    scores: Sequence[Score]
    extractor: str
    extractor_sha256: str
    num_features: int
    num_fakes: int
    weights: str | None
    real_data: str
    num_reals: int
    floor: str

    def protocol(self) -> str:
        """All but the scores, in one line."""
        weights = 'weights not told' if self.weights is None else f'{self.weights} weights'
        return (
            f'{self.num_fakes:,} fakes ({weights}) against {self.num_reals:,} images of '
            f'{self.real_data}, seen through {self.extractor} '
            f'({self.num_features} features, sha256 {self.extractor_sha256[:12]}); '
            f'floor: {self.floor}'
        )

    def table(self) -> str:
        """The protocol, and a line for each score."""
        rows = [('', 'score', 'floor', '')]
        for score in self.scores:
            settings = ', '.join(f'{name}={value}' for name, value in score.settings.items())
            floor = '-' if score.floor is None else f'{score.floor:.4g}'
            rows.append((score.name, f'{score.value:.4g}', floor, settings))
        first, second, third = (max(len(row[column]) for row in rows) for column in range(3))
        lines = [
            f'{name:<{first}}  {value:>{second}}  {floor:>{third}}  {settings}'.rstrip()
            for name, value, floor, settings in rows
        ]
        return '\n'.join([self.protocol(), *lines])

    def to_dict(self) -> dict[str, Any]:
        """The same for a JSON file."""
        return dict(
            scores={
                score.name: dict(
                    value=score.value, floor=score.floor, settings=dict(score.settings)
                )
                for score in self.scores
            },
            protocol=dict(
                extractor=self.extractor,
                extractor_sha256=self.extractor_sha256,
                num_features=self.num_features,
                num_fakes=self.num_fakes,
                weights=self.weights,
                real_data=self.real_data,
                num_reals=self.num_reals,
                floor=self.floor,
            ),
        )
