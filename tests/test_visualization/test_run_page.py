"""The page of a training: one file, a reason for what is missing, no script from files."""

import importlib.util
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from PIL import Image

from mmgan_lite.visualization import RunLog, write_page
from mmgan_lite.visualization.run_page import render_page

A, B = '20261125_043909', '20261125_053909'
SECTIONS = [
    *('samples', 'scores', 'training', 'health', 'warnings'),
    *('runs', 'config', 'environment', 'provenance'),
]
EVIL = '</pre></script><script>document.title = "run by a stranger"</script><img src=x onerror=1>'


@pytest.fixture
def full_work_dir(work_dir):
    """A training with all that a page shows."""
    work_dir.train(A, range(20, 220, 20), loss_gen=1.5, loss_disc=0.5, real_logits=0.1)
    work_dir.train(B, range(200, 420, 20), **{'loss_gen': 1.0, 'health/separation': 0.7})
    work_dir.log(A).config(A, 'model = dict(type="GAN")\n')
    work_dir.evaluate(A, 100, 2.0).evaluate(B, 400, 1.5)
    work_dir.grids(0, 100, 200, 300, 400, size=(64, 64))
    (work_dir.path / 'provenance.json').write_text(
        '{"runs": [{"time": "2026-11-25", "git": {"working_directory": {"commit": "ab12"}}}]}'
    )
    return work_dir


def page_of(work_dir):
    return render_page(RunLog(work_dir.path))


def test_all_of_it_is_there(full_work_dir):
    page = page_of(full_work_dir)
    assert re.findall(r'<section id="(\w+)">', page) == SECTIONS
    assert page.count('alt="Samples at iteration') == 5
    assert page.count('data:image/png;base64,') == 6  # and the real images
    for text in (
        'FID[pixels]',
        'Noise test',
        'halves of 250',
        'EMA',
        'abab',
        'ab12',
        'Something is odd.',
    ):
        assert text in page, text


def test_one_file_without_network(full_work_dir):
    page = page_of(full_work_dir)
    assert re.search(r"default-src 'none'; img-src data:;", page)
    assert not re.search(r'(?:src|href)="(?!data:|#)', page)
    assert '@import' not in page
    assert 'url(' not in page


def test_missing_data_is_named(work_dir):
    page = page_of(work_dir.train(A, [20], loss_gen=1.0))
    for text in ('No grids of samples', 'No metric was computed', 'There is no log', 'no config'):
        assert text in page, text
    assert re.findall(r'<section id="(\w+)">', page) == SECTIONS


def test_why_health_and_provenance_are_missing(work_dir):
    work_dir.train(A, [20], loss_gen=1.0)
    unknown = page_of(work_dir)
    text = 'without a config it is unknown whether GANHealthHook, which writes them, was used.'
    assert f'No health figures: {text}' in unknown
    text = text.replace('GANHealthHook', 'GANCheckpointHook')
    assert f'No provenance: {text}' in unknown
    without = page_of(work_dir.config(A, 'model = dict(type="GAN")'))
    assert 'GANHealthHook, which writes them, is not in the config.' in without
    assert 'GANCheckpointHook, which writes them, is not in the config.' in without
    hooks = 'hooks = [dict(type="GANHealthHook"), dict(type="ProvenanceHook")]'
    page = page_of(work_dir.config(A, hooks))
    assert 'GANHealthHook is in the config, but has measured none yet: see its interval.' in page
    assert 'ProvenanceHook is in the config, but the file is damaged or missing.' in page
    assert 'samples: SampleVisualizationHook, which writes them, is not in the config.' in page
    (work_dir.path / 'provenance.json').write_text('{"runs": [')
    assert 'provenance.json left out: not JSON.' in page_of(work_dir)


def test_no_start_but_samples(work_dir):
    page = page_of(work_dir.grids(0))
    assert 'There is no folder &lt;timestamp&gt;' in page
    assert re.findall(r'<section id="(\w+)">', page) == SECTIONS


def test_one_is_singular(work_dir):
    page = page_of(work_dir.train(A, [1], loss_gen=1.0).grids(0))
    assert '1 iteration in the log, 1 grid of samples, 1 start<' in page


def test_notes_name_what_was_left_out(work_dir):
    work_dir.train(A, [20], loss_gen=1.0)
    (work_dir.path / A / 'evaluations.jsonl').write_text('{"iteration": 20}\n')
    page = page_of(work_dir)
    notes = page[page.index('<aside class="notes">') : page.index('</aside>')]
    assert f'1 line of {A}/evaluations.jsonl left out: incomplete or without scores.' in notes


def test_text_of_files_is_no_script(full_work_dir):
    full_work_dir.config(B, f'x = "{EVIL}"')
    full_work_dir.log(B, head='2026/11/25 04:39:10 - mmengine - WARNING - ' + EVIL + '\n')
    full_work_dir.train(B, [420], **{f'loss_{EVIL}': 1.0})
    full_work_dir.evaluate(B, 420, 1.0, real_data=EVIL)
    page = page_of(full_work_dir)
    assert 'run by a stranger' in page
    assert EVIL not in page
    assert len(re.findall(r'<script\b', page)) == 2  # data and the one of the page
    assert '<img src=x' not in page


def test_atomic_write(full_work_dir, tmp_path, monkeypatch):
    out = write_page(RunLog(full_work_dir.path), tmp_path / 'new' / 'page.html')
    before = out.read_bytes()
    log = RunLog(full_work_dir.path)

    def fail(*_, **__):
        raise OSError('full')

    # To write, to be sure that it is on the disk, to give it its name.
    for owner, step in ((Path, 'write_text'), (os, 'fsync'), (os, 'replace')):
        with monkeypatch.context() as patch:
            patch.setattr(owner, step, fail)
            with pytest.raises(OSError, match='full'):
                write_page(log, out)
        assert out.read_bytes() == before
        assert [path.name for path in out.parent.iterdir()] == ['page.html']


def test_torch_is_not_loaded():
    code = 'import sys, mmgan_lite.visualization; sys.exit("torch" in sys.modules)'
    assert subprocess.run([sys.executable, '-c', code]).returncode == 0


@pytest.fixture(scope='module')
def browser(tmp_path_factory):
    spec = importlib.util.spec_from_file_location('browser', Path(__file__).with_name('browser.py'))
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    executable = module.find_browser()
    if executable is None:
        pytest.skip('there is no Chromium')
    page = module.Browser(executable, tmp_path_factory.mktemp('profile'))
    yield page
    page.close()


@pytest.mark.parametrize(('width', 'scheme'), [(1400, 'light'), (390, 'light'), (390, 'dark')])
def test_in_a_browser(full_work_dir, browser, tmp_path, width, scheme):
    full_work_dir.config(B, f'x = "{EVIL}"')
    browser.size(width)
    browser.scheme(scheme)
    events = browser.open(write_page(RunLog(full_work_dir.path), tmp_path / 'page.html'))
    requests = [
        event['params']['request']['url']
        for event in events
        if event['method'] == 'Network.requestWillBeSent'
    ]
    assert [url[:5] for url in requests if not url.startswith('data:')] == ['file:']
    problems = [e for e in events if e['method'] in ('Log.entryAdded', 'Runtime.exceptionThrown')]
    assert problems == []
    assert browser.run('document.title') == 'some_run - training report'
    assert browser.run('document.documentElement.scrollWidth') <= width
    assert browser.run('document.querySelectorAll("svg path, svg polyline").length') > 3
    # A time stamp is on one line, and a long name where there is room.
    browser.run('document.querySelector("#provenance details").open = true')
    for place, text in (('#runs td', A), ('#provenance th', 'git.working_directory.commit')):
        cell = f'[...document.querySelectorAll("{place}")].find(c => c.textContent == "{text}")'
        lines = f'(r => (r.selectNodeContents({cell}), r.getClientRects().length))'
        assert browser.run(f'{lines}(document.createRange())') == 1, text
    browser.screenshot(tmp_path / 'page.png')
    with Image.open(tmp_path / 'page.png') as shot:
        assert width - 20 < shot.width <= width  # less a scroll bar
        corner = shot.convert('L').getpixel((2, 2))
    assert corner > 200 if scheme == 'light' else corner < 60


def test_charts_in_a_browser(work_dir, browser, tmp_path):
    figures = {'health/separation': 0.7, 'health/alarms': 0, 'health/nonfinite': 3}
    lines = [dict(figures, loss_gen=1.0, iter=step, step=step) for step in (20, 40, 60)]
    lines[2]['health/separation'] = 0.8
    work_dir.scalars(A, *lines).evaluate(A, 60, 1.5)
    browser.size(1000)
    browser.open(write_page(RunLog(work_dir.path), tmp_path / 'page.html'))
    charts = browser.run(
        '[...document.querySelectorAll(".chart")].map(c => [c.querySelector("span").textContent, '
        'c.querySelector("ul").textContent, [...c.querySelectorAll("text[text-anchor=end]")]'
        '.map(t => t.textContent), c.querySelectorAll(".dot").length])'
    )
    drawn = {title: (legend, ticks, dots) for title, legend, ticks, dots in charts}
    assert drawn['FID[pixels]'][0] == '1.5 (real images score 0.25)'
    # The last of these is of the other axis.
    assert drawn['alarms'][1][:-1] == ['0', '1']
    assert drawn['nonfinite'][1][:-1] == ['0', '1', '2', '3']
    # Two probes; the line between them repeats the first.
    assert [drawn[name][2] for name in ('separation', 'alarms', 'nonfinite')] == [2, 2, 2]
    assert drawn['Losses'][2] == 0


def test_slider_by_keyboard(full_work_dir, browser, tmp_path):
    browser.size(1000)
    browser.open(write_page(RunLog(full_work_dir.path), tmp_path / 'page.html'))
    shown = 'document.getElementById("shown-iteration").textContent'
    visible = (
        '[...document.querySelectorAll("img[data-iteration]:not([hidden])")]'
        '.map(i => i.dataset.iteration)'
    )
    assert (browser.run(shown), browser.run(visible)) == ('400', ['400'])
    browser.run('document.getElementById("iteration").focus()')
    browser.press('ArrowLeft', 37)
    browser.press('ArrowLeft', 37)
    assert (browser.run(shown), browser.run(visible)) == ('200', ['200'])
