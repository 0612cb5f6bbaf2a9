"""Chromium without a window, driven over a pipe: no port, no other package."""

import base64
import fcntl
import json
import os
import shutil
import subprocess

NAMES = ('chromium', 'chromium-browser', 'google-chrome', 'google-chrome-stable')
FLAGS = (
    '--headless',
    '--no-sandbox',
    '--disable-gpu',
    '--disable-dev-shm-usage',
    '--disable-quic',
    '--no-first-run',
    '--disable-background-networking',
    '--disable-component-update',
    '--disable-sync',
    '--disable-extensions',
    '--remote-debugging-pipe',
)


def find_browser():
    """Path of Chromium or Chrome, None where there is none."""
    return next((path for path in map(shutil.which, NAMES) if path), None)


class Browser:
    """One page. Talks the DevTools protocol: JSON messages that end in a zero byte."""

    def __init__(self, executable, profile):
        # The browser reads what we say from its descriptor 3 and answers on 4.
        # The ends of this process have higher numbers: moving one could close the other.
        read, self.to_browser = os.pipe()
        self.from_browser, write = os.pipe()
        its_in, its_out = (fcntl.fcntl(end, fcntl.F_DUPFD, 10) for end in (read, write))
        os.close(read)
        os.close(write)
        command = ' '.join(
            ['exec "$0" "$@"', f'3<&{its_in}', f'4>&{its_out}', f'{its_in}<&-', f'{its_out}>&-']
        )
        self.process = subprocess.Popen(
            [
                'bash',
                '-c',
                command,
                executable,
                *FLAGS,
                f'--user-data-dir={profile}',
                'about:blank',
            ],
            pass_fds=(its_in, its_out),
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        os.close(its_in)
        os.close(its_out)
        self.buffer, self.events, self.count, self.session = b'', [], 0, None
        targets = self.call('Target.getTargets')['targetInfos']
        target = next(t['targetId'] for t in targets if t['type'] == 'page')
        found = self.call('Target.attachToTarget', targetId=target, flatten=True)
        self.session = found['sessionId']
        for domain in ('Page', 'Network', 'Runtime', 'Log'):
            self.call(f'{domain}.enable')

    def read(self):
        while b'\0' not in self.buffer:
            block = os.read(self.from_browser, 1 << 20)
            assert block, 'the browser ended'
            self.buffer += block
        message, self.buffer = self.buffer.split(b'\0', 1)
        return json.loads(message)

    def call(self, method, **params):
        self.count += 1
        message = dict(id=self.count, method=method, params=params)
        if self.session:
            message['sessionId'] = self.session
        os.write(self.to_browser, json.dumps(message).encode() + b'\0')
        while True:
            answer = self.read()
            if answer.get('id') == self.count:
                assert 'error' not in answer, answer
                return answer['result']
            self.events.append(answer)

    def open(self, path, fragment=''):
        """Load a file and wait until it stands; returns the events of loading."""
        self.call('Page.navigate', url='about:blank')
        self.events = []
        self.call('Page.navigate', url=f'file://{path}{fragment}')
        while not any(event.get('method') == 'Page.loadEventFired' for event in self.events):
            self.events.append(self.read())
        self.run('new Promise(r => requestAnimationFrame(() => requestAnimationFrame(r)))')
        return self.events

    def run(self, expression):
        """Value of a JavaScript expression."""
        result = self.call(
            'Runtime.evaluate', expression=expression, returnByValue=True, awaitPromise=True
        )
        assert 'exceptionDetails' not in result, result
        return result['result'].get('value')

    def size(self, width, height=900):
        self.call(
            'Emulation.setDeviceMetricsOverride',
            width=width, height=height, deviceScaleFactor=1, mobile=width < 600,
        )  # fmt: skip

    def scheme(self, name):
        features = [dict(name='prefers-color-scheme', value=name)]
        self.call('Emulation.setEmulatedMedia', features=features)

    def press(self, key, code):
        for kind in ('rawKeyDown', 'keyUp'):
            self.call('Input.dispatchKeyEvent', type=kind, key=key, windowsVirtualKeyCode=code)

    def hover(self, x, y):
        self.call('Input.dispatchMouseEvent', type='mouseMoved', x=x, y=y)

    def screenshot(self, path, whole=True):
        shot = self.call('Page.captureScreenshot', captureBeyondViewport=whole)
        path.write_bytes(base64.b64decode(shot['data']))

    def close(self):
        try:
            self.session = None
            self.call('Browser.close')
            self.process.wait(timeout=20)
        finally:
            self.process.kill()
            os.close(self.to_browser)
            os.close(self.from_browser)
