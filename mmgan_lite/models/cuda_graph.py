"""One training iteration recorded as a CUDA graph, and replayed.

A small GAN keeps a GPU busy for less time than the CPU needs to launch its hundreds of kernels. A
graph launches them all at once.
"""

from collections.abc import Callable, Hashable, Iterator, Sequence
from contextlib import contextmanager

import torch
from mmengine.optim import OptimWrapper
from torch import Tensor

from mmgan_lite.models.data_preprocessor import TrainingBatch
from mmgan_lite.utils.interfaces import CountsSteps

Step = Callable[[TrainingBatch], dict[str, Tensor]]

# Runs before recording: libraries choose their kernels, and optimizers make their state.
_WARM_UP = 3
# A few kinds of iteration alternate (with the generator's turn or without, regularizers due or
# not), and an optimizer's settings may change in a few steps. More than this is a mistake.
_MAX_RECORDINGS = 64


class GraphedStep:
    """Runs a training step on a GPU: the first times directly, then from a recording.

    A recording repeats kernels on fixed addresses with fixed arguments. So batches are copied into
    place, the learning rate lies on the device and is refreshed before each replay, and when
    anything else that the optimizers are set to has changed, all is recorded anew.

    Args:
        optim_wrappers: The wrappers that the step uses.

    Raises:
        ValueError: If the model is not on a GPU, or a wrapper accumulates gradients or scales the
            loss (float16), or its optimizer cannot be recorded.
    """

    def __init__(self, optim_wrappers: Sequence[OptimWrapper]) -> None:
        self._optim_wrappers = list(optim_wrappers)
        self._runs: dict[Hashable, int] = {}
        self._recordings: dict[Hashable, _Recording] = {}
        self._num_recorded = 0
        device = self._groups[0]['params'][0].device
        _check_device(device)
        for wrapper in self._optim_wrappers:
            _prepare_optimizer(wrapper)
            # It puts new tensors in the place of those that the recordings write to.
            wrapper.optimizer.register_load_state_dict_post_hook(lambda _: self._forget())
        self._recorded_settings = self._settings()
        self._rates = [torch.tensor(float(group['lr']), device=device) for group in self._groups]

    def __call__(self, kind: Hashable, step: Step, batch: TrainingBatch) -> dict[str, Tensor]:
        """Run ``step(batch)``.

        Args:
            kind: Different for steps that do different things.
            step: What to run; it must neither wait for the device nor look at values.
            batch: What the step trains on.

        Returns:
            What the step returns; the tensors are the caller's.

        Raises:
            ValueError: If settings change so often that recording does not pay.
        """
        settings = self._settings()
        if settings != self._recorded_settings:
            self._forget()
            self._recorded_settings = settings
        key = (kind, *(None if t is None else (t.shape, t.dtype) for t in batch.tensors()))
        for rate, group in zip(self._rates, self._groups, strict=True):
            rate.fill_(group['lr'])
        if key in self._recordings:
            return self._recordings[key].replay(batch)
        runs = self._runs[key] = self._runs.get(key, 0) + 1
        if runs <= _WARM_UP:
            with _recordable(self._groups, self._rates):
                return _run_aside(lambda: step(batch))
        if self._num_recorded >= _MAX_RECORDINGS:
            raise ValueError(
                f'cuda_graph=True needs settings that stay, got {_MAX_RECORDINGS} kinds of '
                'iteration. Give all batches one size (drop_last=True), change no setting of an '
                'optimizer but the learning rate, or set cuda_graph=False.'
            )
        with _recordable(self._groups, self._rates):
            recording = _Recording(self._optim_wrappers, step, batch)
        self._num_recorded += 1
        self._recordings[key] = recording
        return recording.replay(batch)

    @property
    def _groups(self) -> list[dict]:
        return [group for w in self._optim_wrappers for group in w.optimizer.param_groups]

    def _forget(self) -> None:
        self._runs.clear()
        self._recordings.clear()

    def _settings(self) -> Hashable:
        """All that the optimizers are set to, but for parameters and learning rates."""
        return tuple(
            tuple((name, value) for name, value in group.items() if name not in _CHANGING)
            for group in self._groups
        )


_CHANGING = ('params', 'lr', 'initial_lr')


class _Recording:
    """A step recorded on copies of its inputs."""

    def __init__(self, wrappers: Sequence[OptimWrapper], step: Step, batch: TrainingBatch) -> None:
        copies = batch.clone()
        self._inputs = [tensor for tensor in copies.tensors() if tensor is not None]
        self._optim_wrappers = wrappers
        counts = [wrapper.inner_count for wrapper in wrappers]
        for wrapper in wrappers:
            wrapper.zero_grad()  # the graph allocates its own gradients
        self._replay, outputs = _record(lambda: step(copies))
        # Recording runs the Python code, which counts, but trains nothing.
        self._counted = []
        for wrapper, count in zip(wrappers, counts, strict=True):
            self._counted.append(wrapper.inner_count - count)
            wrapper.inner_count = count
        self._outputs = outputs

    def replay(self, batch: TrainingBatch) -> dict[str, Tensor]:
        given = [tensor for tensor in batch.tensors() if tensor is not None]
        for copy, tensor in zip(self._inputs, given, strict=True):
            copy.copy_(tensor)
        self._replay()
        # MMEngine counts backward passes in Python, which a replay does not run.
        for wrapper, count in zip(self._optim_wrappers, self._counted, strict=True):
            wrapper.inner_count += count
        # The next replay writes to the same addresses: one kernel copies all the values.
        copies = torch.stack(list(self._outputs.values())).unbind()
        return dict(zip(self._outputs, copies, strict=True))


@contextmanager
def _recordable(groups: Sequence[dict], rates: Sequence[Tensor]) -> Iterator[None]:
    """Inside, optimizers keep all their numbers on the device, the learning rate too.

    Afterwards the groups are as they were: schedulers read and write a number, and a checkpoint
    loads on a CPU.
    """
    before = [(group['lr'], group['capturable']) for group in groups]
    for group, rate in zip(groups, rates, strict=True):
        group['lr'], group['capturable'] = rate, True
    try:
        yield
    finally:
        for group, (rate, capturable) in zip(groups, before, strict=True):
            group['lr'], group['capturable'] = rate, capturable


def _check_device(device: torch.device) -> None:
    if device.type != 'cuda':
        raise ValueError(
            f'cuda_graph=True needs a model on a CUDA device, got one on {device}. '
            'Set cuda_graph=False, or train on a GPU.'
        )


def _prepare_optimizer(wrapper: OptimWrapper) -> None:
    optimizer = wrapper.optimizer
    if not isinstance(wrapper, CountsSteps):
        raise ValueError(
            f'cuda_graph=True needs GANOptimWrapper, got {type(wrapper).__name__}. Leave its type '
            'out, or set cuda_graph=False.'
        )
    if wrapper.accumulative_counts != 1:
        raise ValueError(
            'cuda_graph=True needs accumulative_counts=1, got '
            f'{wrapper.accumulative_counts}. Use a larger batch, or set cuda_graph=False.'
        )
    if wrapper.scaler is not None:
        raise ValueError(
            "cuda_graph=True needs dtype='bfloat16' or float32, got float16 with a scaled loss. "
            "Set dtype='bfloat16', or cuda_graph=False."
        )
    if 'capturable' not in optimizer.defaults:
        raise ValueError(
            'cuda_graph=True needs an optimizer that can be recorded, got '
            f'{type(optimizer).__name__}, which has no argument capturable. '
            'Use Adam or AdamW, or set cuda_graph=False.'
        )
    # One that is not fused and was resumed counts its steps on the CPU, where a graph cannot.
    for parameter, state in optimizer.state.items():
        if 'step' in state:
            state['step'] = torch.as_tensor(state['step']).to(parameter.device)


def _run_aside(function: Callable[[], dict[str, Tensor]]) -> dict[str, Tensor]:
    """Run on a stream of its own, as CUDA demands of what will be recorded."""
    current, aside = torch.cuda.current_stream(), torch.cuda.Stream()
    aside.wait_stream(current)
    with torch.cuda.stream(aside):
        outputs = function()
    current.wait_stream(aside)
    return outputs


def _record(function: Callable[[], dict]) -> tuple[Callable[[], None], dict[str, Tensor]]:
    """Record without running; gives what replays it, and the tensors that a replay writes."""
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph):
        outputs = function()
    return graph.replay, outputs
