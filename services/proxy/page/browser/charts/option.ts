// The charts as ECharts takes them: series for what was measured, fixed elements for titles, marks and lanes.
import type { ClusterState, Fault, History } from '../model/contract.ts';
import { clockTime, count, milliseconds, percent, rate, whole } from '../model/words.ts';
import { type Element, type Frame, font, frameOf, line, type Palette, type Strip, text } from './frame.ts';
import {
  faultLabels,
  faultMarks,
  faultWindows,
  laneElements,
  lanesOf,
  outMarks,
  seenFaults,
} from './marks.ts';

type Series = readonly (number | null)[];
type Point = [atMs: number, value: number | null];

const BIN_MS = 5000;
const ERROR_LOOKS = ['solid', 'hollow', 'light'] as const;

/** @param width of the canvas in pixels; @param untilMs the right end of the axis, on the proxy's clock */
export function chartOption(
  history: History,
  state: ClusterState,
  allFaults: readonly Fault[],
  colours: Palette,
  {
    width,
    untilMs,
    hatch,
    budget,
  }: { width: number; untilMs: number; hatch: unknown; budget: number | undefined },
): { option: object; height: number } {
  const lanes = width < 520 ? [] : lanesOf(state, history);
  const faults = seenFaults(allFaults, untilMs);
  const labels = faultLabels(faults, frameOf(width, lanes.length, untilMs, 0));
  const frame = frameOf(width, lanes.length, untilMs, Math.max(0, ...labels.map(({ row }) => row + 1)));
  const greatest = niceMax(Math.max(...history.rate.map((value) => value ?? 0)));
  const powers = powersOf(history);
  const errors = errorBins(history);
  const most = niceMax(Math.max(0, ...totals(errors)));
  const retries = retryBins(history);
  const share = niceMax(Math.max(budget ?? 0, ...retries.map(([, value]) => value ?? 0)) * 100) / 100;
  const option = {
    animation: false,
    textStyle: { fontFamily: '"Inter Variable", system-ui, sans-serif' },
    aria: { enabled: true, label: { description: describe(history, faults) } },
    tooltip: {
      trigger: 'axis',
      renderMode: 'richText',
      transitionDuration: 0,
      backgroundColor: colours.paper,
      borderColor: colours.hair,
      textStyle: { color: colours.ink, fontSize: 12 },
      formatter: tooltip,
    },
    axisPointer: { link: [{ xAxisIndex: 'all' }], lineStyle: { color: colours.ink3 }, animation: false },
    grid: [frame.requests, frame.latency, frame.errors, frame.retries].map(({ top, height }) => ({
      left: frame.left,
      right: frame.right,
      top,
      height,
    })),
    xAxis: [0, 1, 2, 3].map((gridIndex) => ({
      gridIndex,
      type: 'time',
      min: frame.fromMs,
      max: untilMs,
      axisLabel: { show: false },
      axisTick: { show: false },
      axisLine: { show: false },
      splitLine: { show: true, lineStyle: { color: colours.hair, opacity: 0.7 } },
      minInterval: 60_000,
      maxInterval: 60_000,
    })),
    yAxis: [
      yAxis(0, colours, { max: greatest, interval: greatest / 2, axisLabel: label(colours, whole) }),
      yAxis(1, colours, {
        type: 'log',
        min: 10 ** powers.least,
        max: 10 ** powers.greatest,
        axisLabel: label(colours, powerLabel),
      }),
      yAxis(2, colours, { max: most, interval: most / 2, axisLabel: label(colours, whole) }),
      yAxis(3, colours, {
        max: share,
        interval: share,
        axisLabel: label(colours, (value) => (value === 0 ? '0' : `${percent(value)} %`)),
      }),
    ],
    series: [
      fixed(faultWindows(faults, frame, hatch), 0),
      fixed(
        [
          ...faultMarks(faults, labels, frame, colours),
          ...outMarks(history.outs, frame, colours),
          ...titles(history, frame, colours, {
            errors,
            lanes: lanes.length,
            all: state.policies.flatMap(({ servers }) => servers).length,
          }),
          ...endLabels(history, frame, colours, greatest, powers),
          ...budgetLine(budget, share, frame, colours),
          ...laneElements(lanes, history.outs, frame, colours),
          ...timeAxis(frame, colours),
        ],
        5,
      ),
      ...requestSeries(history, colours),
      ...latencySeries(history, colours),
      ...errors.map(({ code, bins }, at) =>
        errorSeries(code, bins, ERROR_LOOKS[Math.min(at, 2)] ?? 'light', colours),
      ),
      bars('retries', 3, retries, { color: colours.traffic }),
    ],
  };
  return { option, height: frame.height };
}

/**
 * Elements at fixed places, as a series of one item: only there ECharts draws every shape. All are made anew with each
 * drawing: merged by index, an element of another type takes over place, scale and style of the one before it.
 */
function fixed(children: Element[], z: number): object {
  return {
    ...{
      type: 'custom',
      xAxisIndex: 0,
      yAxisIndex: 0,
      clip: false,
      silent: true,
      z,
      tooltip: { show: false },
    },
    data: children.length === 0 ? [] : [0],
    encode: { x: [], y: [], tooltip: [] },
    renderItem: () => ({ type: 'group', children, $mergeChildren: false }),
  };
}

function yAxis(gridIndex: number, colours: Palette, more: object): object {
  return {
    gridIndex,
    min: 0,
    axisLine: { show: false },
    axisTick: { show: false },
    splitLine: { lineStyle: { color: colours.hair, opacity: 0.7 } },
    ...more,
  };
}

function label(colours: Palette, formatter: (value: number) => string): object {
  return { color: colours.ink2, fontSize: 11.5, formatter, margin: 8 };
}

function pointsOf({ fromMs, stepMs }: History, values: Series): Point[] {
  return values.map((value, at) => [fromMs + at * stepMs, value]);
}

function requestSeries(history: History, colours: Palette): object[] {
  const policies = Object.entries(history.policyRates);
  const bands: [string, Series][] = policies.length === 0 ? [['requests', history.rate]] : policies;
  return bands.map(([name, values], at) => ({
    ...{
      name: policies.length === 0 ? name : `policy ${name}`,
      type: 'line',
      stack: 'requests',
      xAxisIndex: 0,
      yAxisIndex: 0,
    },
    showSymbol: false,
    silent: true,
    sampling: 'average',
    data: pointsOf(history, values),
    lineStyle: { width: at === bands.length - 1 ? 1.5 : 0, color: colours.traffic },
    areaStyle: { color: colours.traffic, opacity: 0.26 + (0.5 * at) / Math.max(1, bands.length) },
  }));
}

function latencySeries(history: History, colours: Palette): object[] {
  const floor = (values: Series): Series =>
    values.map((value) => (value === null || value <= 0 ? null : value));
  const one = (name: string, values: Series, style: object): object => ({
    name,
    type: 'line',
    xAxisIndex: 1,
    yAxisIndex: 1,
    showSymbol: false,
    silent: true,
    data: pointsOf(history, floor(values)),
    lineStyle: style,
    itemStyle: { color: colours.ink2 },
  });
  return [
    one('p99', history.p99Ms, { width: 1.3, color: colours.traffic }),
    one('p90', history.p90Ms, { width: 1, color: colours.ink3 }),
    one('p50', history.p50Ms, { width: 1.8, color: colours.ink }),
  ];
}

type Bins = { code: string; bins: Point[] };

/** Sums of five seconds each; the moment is their middle. */
function binned(history: History, values: Series): Point[] {
  const bins = new Map<number, number>();
  for (const [at, value] of values.entries()) {
    const bin = Math.floor((history.fromMs + at * history.stepMs) / BIN_MS) * BIN_MS + BIN_MS / 2;
    bins.set(bin, (bins.get(bin) ?? 0) + (value ?? 0) * (history.stepMs / 1000));
  }
  return [...bins];
}

function errorBins(history: History): Bins[] {
  return Object.entries(history.errors)
    .map(([code, values]) => ({ code, bins: binned(history, values) }))
    .filter(({ bins }) => bins.some(([, value]) => (value ?? 0) > 0));
}

function totals(errors: readonly Bins[]): number[] {
  const sums = new Map<number, number>();
  for (const { bins } of errors)
    for (const [atMs, value] of bins) sums.set(atMs, (sums.get(atMs) ?? 0) + (value ?? 0));
  return [...sums.values()];
}

function retryBins(history: History): Point[] {
  const requests = new Map(binned(history, history.rate) as [number, number][]);
  return binned(history, history.retries).map(([atMs, retries]) => {
    const asked = requests.get(atMs) ?? 0;
    return [atMs, asked === 0 ? 0 : (retries ?? 0) / asked];
  });
}

function bars(name: string, index: number, data: Point[], itemStyle: object): object {
  return {
    name,
    type: 'bar',
    xAxisIndex: index,
    yAxisIndex: index,
    silent: true,
    barWidth: 5,
    data,
    itemStyle,
  };
}

function errorSeries(
  code: string,
  data: Point[],
  look: (typeof ERROR_LOOKS)[number],
  { bad, paper }: Palette,
): object {
  // A bar of no height would still have its border.
  const some = data.map(([atMs, value]): Point => [atMs, value === 0 ? null : value]);
  return { ...bars(code, 2, some, errorStyle(look, bad, paper)), stack: 'errors' };
}

function errorStyle(look: (typeof ERROR_LOOKS)[number], bad: string, paper: string): object {
  if (look === 'solid') return { color: bad };
  return look === 'hollow'
    ? { color: paper, borderColor: bad, borderWidth: 1.2 }
    : { color: bad, opacity: 0.5 };
}

function titles(
  history: History,
  frame: Frame,
  colours: Palette,
  { errors, lanes, all }: { errors: readonly Bins[]; lanes: number; all: number },
): Element[] {
  const title = (name: string, about: string, { top }: Strip): Element[] => [
    text(name, 0, top - 14, colours.ink, { font: font(11.5, 600) }),
    text(about, name.length * 6.7 + 6, top - 14, colours.ink2),
  ];
  const last = history.rate.findLast((value) => value !== null) ?? 0;
  const errorsInAll = totals(errors).reduce((sum, value) => sum + value, 0);
  const outsTop = frame.faultsHeight + 10;
  return [
    ...(frame.faultsHeight > 0 && frame.left > 60
      ? [text('Faults', 18, 10, colours.faultText, { font: font(11.5, 600) })]
      : []),
    ...(frame.left > 60 ? [text('Out', 18, outsTop, colours.ink, { font: font(11.5, 500) })] : []),
    ...title('Requests', `${whole(last)} a second`, frame.requests),
    ...title('Latency', 'logarithmic', frame.latency),
    ...title('Errors', `${whole(errorsInAll)} in 10 min`, frame.errors),
    ...title('Retries', 'of all requests', frame.retries),
    ...(lanes === 0
      ? []
      : title(
          'Servers',
          lanes === all ? 'thick: out of rotation' : 'those that are or were out',
          frame.lanes,
        )),
    ...errorLegend(errors, frame, colours),
  ];
}

function errorLegend(errors: readonly Bins[], frame: Frame, colours: Palette): Element[] {
  let x = frame.width - frame.right;
  const y = frame.errors.top - 14;
  if (frame.left < 60) return [];
  return errors.toReversed().flatMap(({ code, bins }, at) => {
    const words = `${code} ${whole(bins.reduce((sum, [, value]) => sum + (value ?? 0), 0))}`;
    x -= words.length * 6.9 + 20;
    const look = ERROR_LOOKS[Math.min(errors.length - 1 - at, 2)] ?? 'light';
    const style = errorStyle(look, colours.bad, colours.paper) as {
      color: string;
      borderColor?: string;
      opacity?: number;
    };
    return [
      {
        type: 'rect',
        silent: true,
        shape: { x, y: y - 4, width: 8, height: 8 },
        style: {
          fill: style.color,
          stroke: style.borderColor ?? 'none',
          lineWidth: 1.2,
          opacity: style.opacity ?? 1,
        },
      },
      text(words, x + 12, y, colours.ink2, { font: font(11) }),
    ];
  });
}

function endLabels(
  history: History,
  frame: Frame,
  colours: Palette,
  greatest: number,
  powers: { least: number; greatest: number },
): Element[] {
  const x = frame.width - frame.right + 8;
  const elements: Element[] = [];
  let below = 0;
  const policies = Object.entries(history.policyRates);
  for (const [policy, values] of policies) {
    const last = values.findLast((value) => value !== null) ?? 0;
    const share = (below + last / 2) / greatest;
    below += last;
    if ((last / greatest) * frame.requests.height < 11) continue;
    elements.push(
      text(`policy ${policy}`, x, frame.requests.top + frame.requests.height * (1 - share), colours.ink2),
    );
  }
  const spread: number[] = [];
  for (const [name, values, fill] of [
    ['p99', history.p99Ms, colours.traffic],
    ['p90', history.p90Ms, colours.ink3],
    ['p50', history.p50Ms, colours.ink],
  ] as const) {
    const last = values.findLast((value) => value !== null && value > 0) ?? null;
    if (last === null) continue;
    const share = (Math.log10(last) - powers.least) / (powers.greatest - powers.least);
    const wanted = frame.latency.top + frame.latency.height * (1 - Math.min(1, Math.max(0, share)));
    const y = Math.max(wanted, (spread.at(-1) ?? 0) + 12);
    spread.push(y);
    elements.push(text(name, x, y, fill, { font: font(11.5, name === 'p50' ? 650 : 450) }));
  }
  return elements;
}

function budgetLine(budget: number | undefined, greatest: number, frame: Frame, colours: Palette): Element[] {
  if (budget === undefined || greatest <= 0) return [];
  const y = frame.retries.top + frame.retries.height * (1 - budget / greatest);
  const end = frame.width - frame.right;
  return [
    line(frame.left, y, end, y, colours.ink3, { lineDash: [4, 3] }),
    text('budget', end + 8, y, colours.ink2),
  ];
}

function timeAxis(frame: Frame, colours: Palette): Element[] {
  const y = frame.height - 14;
  const end = frame.width - frame.right;
  const bottom = frame.lanes.top + frame.lanes.height;
  const all: Element[] = [
    line(end, frame.requests.top, end, bottom, colours.ink3),
    text('now', end, y, colours.ink, { textAlign: 'center', font: font(11.5, 650) }),
  ];
  const every = frame.width < 520 ? 2 : 1;
  const first = Math.ceil(frame.fromMs / 60_000) * 60_000;
  for (let atMs = first; atMs < frame.untilMs - 25_000; atMs += every * 60_000) {
    const x = frame.left + ((end - frame.left) * (atMs - frame.fromMs)) / (frame.untilMs - frame.fromMs);
    all.push(text(clockTime(atMs).slice(0, 5), x, y, colours.ink2, { textAlign: 'center' }));
  }
  return all;
}

/** A round number at or above the value, of which the half is round too. */
function niceMax(value: number): number {
  if (!(value > 0)) return 2;
  const power = 10 ** Math.floor(Math.log10(value));
  const step = [1, 2, 4, 6, 10].find((each) => each * power >= value) ?? 10;
  return Math.max(2e-4, step * power);
}

function powersOf({ p50Ms, p99Ms }: History): { least: number; greatest: number } {
  const values = [...p50Ms, ...p99Ms].filter((value): value is number => value !== null && value > 0);
  if (values.length === 0) return { least: 0, greatest: 3 };
  const least = Math.floor(Math.log10(Math.min(...values)));
  const greatest = Math.ceil(Math.log10(Math.max(...values) * 1.05));
  return { least: Math.min(0, Math.max(-1, least)), greatest: Math.max(2, greatest) };
}

function powerLabel(ms: number): string {
  if (ms >= 1000) return `${ms / 1000} s`;
  return ms === 1 ? '1 ms' : String(Number(ms.toPrecision(1)));
}

type TooltipEntry = { seriesName: string; value: Point; axisValue?: number };

function tooltip(given: unknown): string {
  const entries = (Array.isArray(given) ? given : [given]) as TooltipEntry[];
  const [first] = entries;
  if (first === undefined) return '';
  const lines = entries
    .filter(({ value }) => Array.isArray(value) && value[1] !== null)
    .map(({ seriesName, value: [, value] }) => `${seriesName}  ${valueWords(seriesName, value ?? 0)}`);
  return [clockTime(first.axisValue ?? first.value[0]), ...lines].join('\n');
}

function valueWords(name: string, value: number): string {
  if (/^p\d\d$/.test(name)) return `${milliseconds(value)} ms`;
  if (name === 'retries') return `${percent(value)} %`;
  return /^[A-Z_]+$/.test(name) ? `${whole(value)} in 5 s` : `${rate(value)}/s`;
}

function describe({ rate: rates, outs }: History, faults: readonly Fault[]): string {
  const last = rates.findLast((value) => value !== null) ?? 0;
  return `Requests, latency, errors and retries of the last 10 minutes. ${whole(last)} requests a second now, ${outs.length} times a server was out, ${count(faults.length, 'fault')}. The table behind it has the figures.`;
}
