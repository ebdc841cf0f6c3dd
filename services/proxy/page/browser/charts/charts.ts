// The charts of the last ten minutes, and the table behind them. Their library comes after the page stands.
import { Component } from 'preact';
import { html } from '../html.ts';
import { now } from '../model/clock.ts';
import type { ClusterState, Fault, History } from '../model/contract.ts';
import { model, serversIn } from '../model/store.ts';
import { isCurrent } from '../model/theme.ts';
import { clockTime } from '../model/words.ts';
import type { Palette } from './frame.ts';
import { seenFaults } from './marks.ts';
import { chartOption } from './option.ts';
import { HistoryTable } from './table.ts';

type Chart = {
  setOption: (option: object, how: object) => void;
  resize: (size: { width: number; height: number }) => void;
  dispose: () => void;
};
type Library = { init: (element: HTMLElement, theme: null, how: object) => Chart };

const NAMES = [
  'ink',
  'ink2',
  'ink3',
  'hair',
  'paper',
  'traffic',
  'fault',
  'faultFill',
  'faultText',
  'bad',
  'ready',
  'standby',
  'joining',
  'trial',
  'suspect',
  'evicted',
  'ejected',
  'leaving',
  'drained',
] as const;

export function Charts() {
  const { state, history, faults, connection } = model;
  const hasNothing = history === null || history.rate.every((value) => value === null || value === 0);
  if (state === null) return html`<section class="panel charts"></section>`;
  if (serversIn(state) === 0 && hasNothing) {
    return html`<section class="panel line charts"><h2>Last 10 minutes</h2><span>no request yet; charts start with the first</span></section>`;
  }
  const shaded = seenFaults(faults, now()).length > 0 ? 'shaded: a fault was on; ' : '';
  const about =
    connection.kind === 'stale'
      ? `no data since ${clockTime(connection.sinceMs)}`
      : `${shaded}dotted: a server went out of rotation`;
  return html`
    <section class="panel charts" aria-labelledby="charts">
      <div class="tools"><h2 id="charts">Last 10 minutes</h2><span>${about}</span></div>
      ${history === null ? html`<div class="canvas"></div>` : html`<${Canvas} history=${history} state=${state} faults=${faults} theme=${isCurrent('dark') ? 'dark' : 'light'} />`}
      ${history !== null && html`<${HistoryTable} history=${history} faults=${faults} />`}
    </section>`;
}

type Properties = { history: History; state: ClusterState; faults: readonly Fault[]; theme: string };

class Canvas extends Component<Properties> {
  #element: HTMLElement | null = null;
  #chart: Chart | null = null;
  #isInView = false;
  #height = 0;
  #isGone = false;
  #isLoading = false;
  #tries = 0;
  readonly #sizes = new ResizeObserver(() => this.#draw());
  readonly #views = new IntersectionObserver(
    ([entry]) => {
      this.#isInView = entry?.isIntersecting ?? false;
      if (this.#isInView) void this.#load();
    },
    { rootMargin: '200px' },
  );

  override componentDidMount(): void {
    if (this.#element === null) return;
    this.#sizes.observe(this.#element);
    this.#views.observe(this.#element);
  }

  override shouldComponentUpdate({ history, faults, theme }: Properties): boolean {
    const { props } = this;
    return history !== props.history || faults !== props.faults || theme !== props.theme;
  }

  override componentDidUpdate(): void {
    if (this.#isInView) void this.#load();
  }

  override componentWillUnmount(): void {
    this.#isGone = true;
    this.#sizes.disconnect();
    this.#views.disconnect();
    this.#chart?.dispose();
  }

  async #load(): Promise<void> {
    if (this.#chart !== null) return this.#draw();
    if (this.#isLoading) return;
    this.#isLoading = true;
    const library = await this.#import();
    this.#isLoading = false;
    if (library === null || this.#element === null || this.#isGone) return;
    this.#chart = library.init(this.#element, null, { renderer: 'canvas' });
    this.#draw();
  }

  // Null where the proxy can't be reached just now: it is tried again with what comes next from it. A module that could
  // not be fetched is not fetched again under the same address.
  async #import(): Promise<Library | null> {
    const path = `/page/lib/echarts.js${this.#tries === 0 ? '' : `?${this.#tries}`}`;
    this.#tries += 1;
    try {
      const [library] = await Promise.all([import(path) as Promise<Library>, document.fonts.ready]);
      return library;
    } catch {
      return null;
    }
  }

  #draw(): void {
    const [element, chart] = [this.#element, this.#chart];
    if (element === null || chart === null || !this.#isInView || document.hidden) return;
    const { history, state, faults } = this.props;
    const colours = paletteOf(element);
    const width = element.clientWidth;
    const budget = model.hello?.thresholds.retryBudget;
    const { option, height } = chartOption(history, state, faults, colours, {
      width,
      untilMs: now(),
      hatch: hatchOf(colours),
      budget,
    });
    if (height !== this.#height) {
      this.#height = height;
      element.style.height = `${height}px`;
    }
    chart.resize({ width, height });
    chart.setOption(option, { notMerge: true, lazyUpdate: false });
  }

  override render() {
    return html`<div class="canvas" aria-hidden="true" ref=${(element: HTMLElement | null) => {
      this.#element = element;
    }}></div>`;
  }
}

// A colour may be written in a way that a canvas does not know: an element's computed colour is one that it does.
function paletteOf(element: HTMLElement): Palette {
  const probe = document.createElement('i');
  element.parentElement?.append(probe);
  const colours = Object.fromEntries(
    NAMES.map((name) => {
      probe.style.color = `var(--${name})`;
      return [name, getComputedStyle(probe).color];
    }),
  );
  probe.remove();
  return colours as Palette;
}

let hatchOfColour = '';
let hatch: unknown = null;

function hatchOf({ faultFill, fault }: Palette): unknown {
  if (hatchOfColour === faultFill) return hatch;
  hatchOfColour = faultFill;
  const image = document.createElement('canvas');
  image.width = 8;
  image.height = 8;
  const context = image.getContext('2d');
  if (context === null) return faultFill;
  context.fillStyle = faultFill;
  context.fillRect(0, 0, 8, 8);
  context.strokeStyle = fault;
  context.globalAlpha = 0.28;
  for (const shift of [-8, 0, 8]) {
    context.moveTo(shift, 8);
    context.lineTo(shift + 8, 0);
  }
  context.stroke();
  hatch = { image, repeat: 'repeat' };
  return hatch;
}
