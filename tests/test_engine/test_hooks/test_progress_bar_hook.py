import gc
import io
import os
import subprocess
import sys
import textwrap

import pytest
from mmengine.hooks import Hook
from rich.console import Console

from mmgan_lite.engine.hooks import progress_bar_hook

HOOK = {'type': 'ProgressBarHook'}


class LogHook(Hook):
    """Logs and prints at every iteration."""

    def after_train_iter(self, runner, batch_idx, data_batch=None, outputs=None):
        runner.logger.info(f'logged after {runner.iter + 1}')
        print(f'printed after {runner.iter + 1}')


class FailingHook(Hook):
    """Fails in the second iteration."""

    def after_train_iter(self, runner, batch_idx, data_batch=None, outputs=None):
        if runner.iter == 1:
            raise RuntimeError('out of luck')


@pytest.fixture
def terminal(monkeypatch):
    """What a terminal would get, redrawn at every iteration."""
    screen = io.StringIO()
    console = Console(file=screen, force_terminal=True, width=100, legacy_windows=False)
    monkeypatch.setattr(progress_bar_hook, '_interactive_console', lambda: console)
    monkeypatch.setattr(progress_bar_hook, '_REFRESH_SECONDS', 0.0)
    return screen


def _stream(runner):
    return runner.logger.handlers[0].stream


def test_bar_counts_iterations(make_runner, fake_gan, terminal):
    make_runner(fake_gan(), [HOOK]).train()
    for count in ('0/4', '1/4', '2/4', '3/4', '4/4'):
        assert count in terminal.getvalue()
    assert 'Training' in terminal.getvalue()
    assert 'it/s' in terminal.getvalue()


def test_bar_counts_the_iterations_of_epochs(make_runner, fake_gan, terminal):
    make_runner(fake_gan(), [HOOK], train_cfg={'by_epoch': True, 'max_epochs': 2}).train()
    assert '0/6' in terminal.getvalue()
    assert '6/6' in terminal.getvalue()


def test_resumed_bar_starts_where_the_run_was(make_runner, fake_gan, terminal):
    default_hooks = {
        'checkpoint': {'type': 'CheckpointHook', 'by_epoch': False, 'interval': 2},
        'safe_checkpoint': {'type': 'SafeCheckpointHook'},
    }
    make_runner(fake_gan(), max_iters=2, default_hooks=default_hooks).train()
    make_runner(fake_gan(), [HOOK], default_hooks=default_hooks, resume=True).train()
    assert '2/4' in terminal.getvalue()
    assert '0/4' not in terminal.getvalue()
    assert '4/4' in terminal.getvalue()


def test_log_lines_pass_above_the_bar(make_runner, fake_gan, terminal):
    make_runner(fake_gan(), [LogHook(), HOOK]).train()
    lines = terminal.getvalue().splitlines()
    for iteration in range(1, 5):
        (logged,) = [line for line in lines if f'logged after {iteration}' in line]
        (printed,) = [line for line in lines if f'printed after {iteration}' in line]
        assert logged.endswith(f'logged after {iteration}')  # the bar is on a line of its own
        assert printed.removeprefix('\x1b[2K') == f'printed after {iteration}'  # bar erased


def test_streams_are_given_back(make_runner, fake_gan, terminal):
    runner = make_runner(fake_gan(), [HOOK])
    before = sys.stdout, sys.stderr, _stream(runner)
    runner.train()
    assert (sys.stdout, sys.stderr, _stream(runner)) == before


def test_cursor_is_never_hidden_while_training(make_runner, fake_gan, terminal):
    shown = []

    class CursorHook(Hook):
        def after_train_iter(self, runner, batch_idx, data_batch=None, outputs=None):
            output = terminal.getvalue()
            shown.append(output.rfind('\x1b[?25h') > output.rfind('\x1b[?25l'))

    make_runner(fake_gan(), [CursorHook(), HOOK]).train()
    assert shown == [True] * 4


def test_failed_training_gives_the_terminal_back_with_its_runner(make_runner, fake_gan, terminal):
    before = sys.stdout, sys.stderr
    runner = make_runner(fake_gan(), [FailingHook(), HOOK])
    logger = runner.logger
    stream = logger.handlers[0].stream
    try:
        runner.train()
    except RuntimeError:
        assert sys.stdout is not before[0]
    del runner
    gc.collect()
    assert (sys.stdout, sys.stderr) == before
    assert logger.handlers[0].stream is stream


def test_nothing_happens_where_there_is_no_terminal(make_runner, fake_gan, capsys):
    runner = make_runner(fake_gan(), [LogHook(), HOOK])
    stdout = sys.stdout
    runner.train()
    assert sys.stdout is stdout
    output = capsys.readouterr().out
    assert 'logged after 4' in output
    assert 'it/s' not in output


def test_only_the_main_process_has_a_bar(make_runner, fake_gan, terminal, monkeypatch):
    monkeypatch.setattr(progress_bar_hook, 'is_main_process', lambda: False)
    make_runner(fake_gan(), [HOOK]).train()
    assert terminal.getvalue() == ''


def test_interrupt_in_a_real_terminal_leaves_it_usable(tmp_path):
    pty = pytest.importorskip('pty')
    script = textwrap.dedent("""
        import logging, sys
        from types import SimpleNamespace
        from mmgan_lite.engine.hooks.progress_bar_hook import ProgressBarHook

        logger = logging.getLogger('training')
        logger.addHandler(logging.StreamHandler(sys.stdout))
        class Runner(SimpleNamespace):
            __hash__ = object.__hash__
        runner = Runner(iter=0, max_iters=5, logger=logger)
        hook = ProgressBarHook()
        hook.before_train(runner)
        logger.warning('a line of the log')
        hook.after_train_iter(runner, 0)
        raise KeyboardInterrupt
    """)
    reader, writer = pty.openpty()
    process = subprocess.Popen(
        [sys.executable, '-c', script],
        stdin=writer,
        stdout=writer,
        stderr=writer,
        env={
            **os.environ,
            'TERM': 'xterm',
            'COLUMNS': '80',
            'PYTHONPATH': os.pathsep.join(sys.path),
        },
    )
    os.close(writer)
    output = b''
    with open(reader, 'rb', buffering=0) as screen:
        # Linux reports the end of a pseudo-terminal as an error.
        try:
            while block := screen.read(4096):
                output += block
        except OSError:
            pass
    process.wait()
    text = output.decode()
    assert 'a line of the log\r\n' in text
    assert '1/5' in text
    assert 'KeyboardInterrupt' in text
    assert text.rfind('\x1b[?25h') > text.rfind('\x1b[?25l')
    assert text.rstrip('\x1b[?25h').endswith('\r\n')  # the prompt does not follow the bar
