"""``mmgan-lite report``: a training in, a page out."""


def test_page_of_a_training(tool, trained, tmp_path):
    out = tmp_path / 'page.html'
    result = tool('report', trained, '--out', out)
    assert f'{out} written' in result.stdout
    page = out.read_text()
    assert 'alt="Samples at iteration 0"' in page
    assert '<section id="training">' in page


def test_a_folder_that_is_no_work_dir(tool, tmp_path):
    result = tool('report', tmp_path, check=False)
    assert result.returncode == 2
    assert str(tmp_path) in result.stderr
    assert 'Traceback' not in result.stderr


def test_out_that_is_a_folder(tool, trained, tmp_path):
    result = tool('report', trained, '--out', tmp_path, check=False)
    assert result.returncode == 1
    assert '--out must be a file' in result.stderr


def test_out_that_cannot_be_written(tool, trained, tmp_path):
    (tmp_path / 'file').write_text('')
    result = tool('report', trained, '--out', tmp_path / 'file' / 'page.html', check=False)
    assert result.returncode == 1
    assert '--out must be a writable path' in result.stderr
    assert 'Traceback' not in result.stderr
