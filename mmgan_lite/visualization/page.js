'use strict';
(() => {
  const data = JSON.parse(document.getElementById('data').textContent);
  const charts = [];
  let shown = null; // iteration of the grid that is on view

  const count = (value) => value.toLocaleString('en-US');
  const number = (value) => {
    if (value === null || value === undefined) return 'not finite';
    const size = Math.abs(value);
    if (size !== 0 && (size < 1e-3 || size >= 1e6)) return value.toExponential(2);
    return String(Number(value.toPrecision(4)));
  };
  const make = (tag, parent, classes, text) => {
    const element = document.createElement(tag);
    if (classes) element.className = classes;
    if (text !== undefined) element.textContent = text;
    parent.append(element);
    return element;
  };
  const draw = (tag, parent, attributes) => {
    const element = document.createElementNS('http://www.w3.org/2000/svg', tag);
    for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
    parent.append(element);
    return element;
  };

  // Round numbers between low and high, about so many.
  const ticks = (low, high, about, least = 0) => {
    const raw = Math.max(least, (high - low) / about);
    const power = 10 ** Math.floor(Math.log10(raw));
    const step = power * ([1, 2, 5, 10].find((m) => m * power >= raw) || 10);
    const found = [];
    for (let i = Math.ceil(low / step); i * step <= high && found.length < 20; i += 1) found.push(i * step);
    return found;
  };

  class Chart {
    constructor(spec, parent) {
      this.series = spec.series;
      this.counts = spec.counts;
      const values = this.series.flatMap((s) => [...s.values, s.real_score]).filter((v) => v !== null);
      this.steps = [...new Set(this.series.flatMap((s) => s.steps))].sort((a, b) => a - b);
      this.low = Math.min(...values);
      this.high = Math.max(...values);
      this.log = false;
      this.cursor = null;
      this.figure = make('figure', parent, 'chart');
      const caption = make('figcaption', this.figure);
      make('span', caption, '', spec.title);
      this.at = make('span', caption, 'at');
      const list = make('ul', this.figure);
      this.readouts = this.series.map((s, i) => {
        const item = make('li', list, `k${i % 6}`);
        if (this.series.length > 1 || s.name !== spec.title) item.append(s.name);
        const readout = make('b', item);
        if (s.real_score !== null) item.append(` (real images score ${number(s.real_score)})`);
        return readout;
      });
      if (values.length && this.low > 0 && this.high / this.low > 30) this.addLogSwitch(list);
      this.svg = draw('svg', this.figure, { tabindex: 0, role: 'img' });
      this.svg.setAttribute('aria-label', this.describe(spec.title));
      this.listen();
      this.readOut();
    }

    describe(title) {
      const ends = this.series.map((s) => `${s.name} ends at ${number(s.values[s.values.length - 1])}`);
      return `Curve of ${title} to iteration ${count(this.steps[this.steps.length - 1])}: ${ends.join(', ')}. Arrow keys read values.`;
    }

    addLogSwitch(list) {
      const label = make('label', make('li', list, 'switch'));
      const box = make('input', label);
      box.type = 'checkbox';
      label.append('logarithmic');
      box.addEventListener('change', () => { this.log = box.checked; this.render(); });
    }

    listen() {
      this.svg.addEventListener('pointermove', (event) => {
        if (!this.x) return;
        const at = event.clientX - this.svg.getBoundingClientRect().left;
        let best = 0;
        this.steps.forEach((step, i) => {
          if (Math.abs(this.x(step) - at) < Math.abs(this.x(this.steps[best]) - at)) best = i;
        });
        this.moveTo(best);
      });
      this.svg.addEventListener('pointerleave', () => this.moveTo(null));
      this.svg.addEventListener('blur', () => this.moveTo(null));
      this.svg.addEventListener('keydown', (event) => {
        const last = this.steps.length - 1;
        const from = this.cursor === null ? last : this.cursor;
        const to = { ArrowLeft: from - 1, ArrowRight: from + 1, Home: 0, End: last }[event.key];
        if (to === undefined) return;
        event.preventDefault();
        this.moveTo(Math.max(0, Math.min(last, to)));
      });
    }

    moveTo(index) {
      this.cursor = index;
      this.readOut();
      this.renderCursor();
    }

    // Under the cursor, or the last value of each curve.
    readOut() {
      const step = this.cursor === null ? null : this.steps[this.cursor];
      this.at.textContent = step === null ? 'last value' : `iteration ${count(step)}`;
      this.series.forEach((s, i) => {
        const at = step === null ? s.steps.length - 1 : s.steps.indexOf(step);
        this.readouts[i].textContent = at < 0 ? '' : number(s.values[at]);
      });
    }

    scale() {
      const flatten = this.log ? Math.log10 : (v) => v;
      let [low, high] = [flatten(this.low), flatten(this.high)];
      if (!(high > low)) { const pad = Math.abs(low) * 0.1 || 1; low -= pad; high += pad; }
      const pad = (high - low) * 0.05;
      [low, high] = [low - pad, high + pad];
      // An axis of values >= 0 begins at 0 or above; that of counts begins at 0.
      if (!this.log && this.low >= 0) low = this.counts ? 0 : Math.max(low, 0);
      const [first, last] = [this.steps[0], this.steps[this.steps.length - 1]];
      const from = first === last ? first - 1 : Math.min(first, 0);
      const to = first === last ? first + 1 : last;
      const rungs = ticks(low, high, 6, this.counts && !this.log ? 1 : 0);
      this.yTicks = this.log ? rungs.map((t) => 10 ** t) : rungs;
      const longest = Math.max(...this.yTicks.map((t) => number(t).length));
      const left = Math.max(36, 12 + 6.5 * longest);
      const box = { left, right: this.width - 12, top: 8, bottom: this.height - 22 };
      this.box = box;
      this.x = (step) => box.left + ((step - from) / (to - from)) * (box.right - box.left);
      this.y = (v) => box.bottom - ((flatten(v) - low) / (high - low)) * (box.bottom - box.top);
      this.xTicks = ticks(from, to, this.width / 80).filter((t) => Number.isInteger(t));
    }

    render() {
      this.width = this.svg.clientWidth || 360;
      this.height = this.svg.clientHeight || 200;
      this.svg.replaceChildren();
      this.svg.setAttribute('viewBox', `0 0 ${this.width} ${this.height}`);
      if (!Number.isFinite(this.low)) {
        draw('text', this.svg, { x: 12, y: 40 }).textContent = 'No value is finite.';
        return;
      }
      this.scale();
      const { left, right, bottom } = this.box;
      for (const t of this.yTicks) {
        draw('line', this.svg, { class: 'grid', x1: left, x2: right, y1: this.y(t), y2: this.y(t) });
        draw('text', this.svg, { x: left - 6, y: this.y(t) + 4, 'text-anchor': 'end' }).textContent = number(t);
      }
      for (const t of this.xTicks) {
        const anchor = this.x(t) > right - 16 ? 'end' : 'middle';
        draw('text', this.svg, { x: this.x(t), y: bottom + 16, 'text-anchor': anchor }).textContent = count(t);
      }
      this.series.forEach((s, i) => this.renderSeries(s, `k${i % 6}`));
      this.overlay = draw('g', this.svg, {});
      this.renderCursor();
    }

    renderSeries(s, color) {
      const { left, right } = this.box;
      if (s.real_score !== null && (!this.log || s.real_score > 0)) {
        draw('line', this.svg, { class: `real-score ${color}`, x1: left, x2: right, y1: this.y(s.real_score), y2: this.y(s.real_score) });
      }
      let path = '';
      let open = false;
      s.values.forEach((value, i) => {
        if (value === null) { open = false; return; }
        const place = `${this.x(s.steps[i]).toFixed(1)} ${this.y(value).toFixed(1)}`;
        path += `${open ? 'L' : 'M'}${place}`;
        const lonely = !open && (i + 1 >= s.values.length || s.values[i + 1] === null);
        if (lonely || s.dots) this.dot(this.svg, s.steps[i], value, color, 2.5);
        open = true;
      });
      draw('path', this.svg, { class: `curve ${color}`, d: path });
    }

    dot(parent, step, value, color, r) {
      draw('circle', parent, { class: `dot ${color}`, cx: this.x(step), cy: this.y(value), r });
    }

    renderCursor() {
      if (!this.overlay) return;
      this.overlay.replaceChildren();
      const { top, bottom, left, right } = this.box;
      const rule = (name, step) => draw('line', this.overlay, { class: name, x1: this.x(step), x2: this.x(step), y1: top, y2: bottom });
      if (shown !== null && this.x(shown) >= left && this.x(shown) <= right) rule('shown', shown);
      if (this.cursor === null) return;
      const step = this.steps[this.cursor];
      rule('cursor', step);
      this.series.forEach((s, i) => {
        const at = s.steps.indexOf(step);
        if (at >= 0 && s.values[at] !== null) this.dot(this.overlay, step, s.values[at], `k${i % 6}`, 3.5);
      });
    }
  }

  const startSlider = () => {
    const slider = document.getElementById('iteration');
    if (!slider) return;
    const output = document.getElementById('shown-iteration');
    const button = document.getElementById('play');
    const images = [...document.querySelectorAll('img[data-iteration]')];
    const iterations = images.map((image) => Number(image.dataset.iteration));
    let timer = null;

    const show = (index) => {
      images.forEach((image, i) => { image.hidden = i !== index; });
      shown = iterations[index];
      slider.value = index;
      slider.setAttribute('aria-valuetext', `iteration ${count(shown)}`);
      output.textContent = count(shown);
      charts.forEach((chart) => chart.renderCursor());
    };
    const keep = () => {
      try { history.replaceState(null, '', `#iteration=${shown}`); } catch { /* not in every viewer */ }
    };
    const stop = () => {
      clearInterval(timer);
      timer = null;
      button.textContent = 'Play';
      keep();
    };
    const play = () => {
      if (timer !== null) { stop(); return; }
      const last = images.length - 1;
      if (Number(slider.value) === last) show(0);
      button.textContent = 'Stop';
      timer = setInterval(() => {
        if (Number(slider.value) >= last) stop();
        else show(Number(slider.value) + 1);
      }, 150);
    };
    // The grid at the iteration in the address, or the last one before it.
    const follow = () => {
      const match = /^#iteration=(\d+)$/.exec(location.hash);
      if (!match) return;
      const before = iterations.filter((iteration) => iteration <= Number(match[1])).length;
      show(Math.max(0, before - 1));
    };
    slider.addEventListener('input', () => { if (timer !== null) stop(); show(Number(slider.value)); });
    slider.addEventListener('change', keep);
    button.addEventListener('click', play);
    window.addEventListener('hashchange', follow);
    show(images.length - 1);
    follow();
  };

  for (const spec of data) {
    const parent = document.querySelector(`.charts[data-section="${spec.section}"]`);
    charts.push(new Chart(spec, parent));
  }
  startSlider();
  // Also the first time, as soon as the page is laid out.
  const watcher = new ResizeObserver(() => charts.forEach((chart) => chart.render()));
  watcher.observe(document.querySelector('main'));
})();
