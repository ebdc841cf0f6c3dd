// Where the charts are: one time axis for all, from top to bottom faults, outs, requests, latency, errors, retries, servers.

export type Strip = { top: number; height: number };

export type Frame = {
  left: number;
  right: number;
  width: number;
  height: number;
  fromMs: number;
  untilMs: number;
  requests: Strip;
  latency: Strip;
  errors: Strip;
  retries: Strip;
  lanes: Strip;
  /** What the names of the faults take on top; 0 without a fault. */
  faultsHeight: number;
};

export const LANE_HEIGHT = 16;
export const MARKS_HEIGHT = 20;
export const LABEL_HEIGHT = 13;
const TITLE = 31;
const AXIS = 30;
/** The charts' length. */
export const WINDOW_MS = 600_000;

/** An element that ECharts draws at a fixed place. */
export type Element = Record<string, unknown>;

export type Palette = Record<
  | 'ink'
  | 'ink2'
  | 'ink3'
  | 'hair'
  | 'paper'
  | 'traffic'
  | 'fault'
  | 'faultFill'
  | 'faultText'
  | 'bad'
  | 'ready'
  | 'standby'
  | 'joining'
  | 'trial'
  | 'suspect'
  | 'evicted'
  | 'ejected'
  | 'leaving'
  | 'drained',
  string
>;

/** @param lanes how many servers have a line of their own; @param faultRows how many lines the names of the faults take */
export function frameOf(width: number, lanes: number, untilMs: number, faultRows: number): Frame {
  const isNarrow = width < 520;
  const [left, right] = isNarrow ? [40, 46] : [96, 92];
  const heights = { requests: 92, latency: 104, errors: 60, retries: 46 };
  const faultsHeight = faultRows === 0 ? 0 : MARKS_HEIGHT + (faultRows - 1) * LABEL_HEIGHT;
  const firstTop = faultsHeight + MARKS_HEIGHT + 8;
  const requests = { top: firstTop + TITLE - 6, height: heights.requests };
  const latency = { top: requests.top + requests.height + TITLE, height: heights.latency };
  const errors = { top: latency.top + latency.height + TITLE, height: heights.errors };
  const retries = { top: errors.top + errors.height + TITLE, height: heights.retries };
  const below = retries.top + retries.height;
  const strip = { top: lanes === 0 ? below : below + TITLE, height: lanes * LANE_HEIGHT };
  return {
    left,
    right,
    width,
    untilMs,
    faultsHeight,
    fromMs: untilMs - WINDOW_MS,
    requests,
    latency,
    errors,
    retries,
    lanes: strip,
    height: strip.top + strip.height + AXIS,
  };
}

/** Where a moment is, in pixels from the left; what is outside of the window is at its edge. */
export function xOf({ left, right, width, fromMs, untilMs }: Frame, atMs: number): number {
  const share = (atMs - fromMs) / (untilMs - fromMs);
  return left + (width - left - right) * Math.min(1, Math.max(0, share));
}

export function text(content: string, x: number, y: number, fill: string, style: Element = {}): Element {
  return {
    type: 'text',
    silent: true,
    x,
    y,
    style: { text: content, fill, font: font(11.5), textVerticalAlign: 'middle', ...style },
  };
}

export function font(size: number, weight = 400): string {
  return `${weight} ${size}px "Inter Variable", system-ui, sans-serif`;
}

export function line(
  x1: number,
  y1: number,
  x2: number,
  y2: number,
  stroke: string,
  style: Element = {},
): Element {
  return { type: 'line', silent: true, shape: { x1, y1, x2, y2 }, style: { stroke, lineWidth: 1, ...style } };
}

const SIGNS: Readonly<Record<string, { fill?: string; stroke?: string; cut?: string }>> = {
  ready: { fill: 'M8 3a5 5 0 1 1 0 10a5 5 0 1 1 0-10z' },
  joining: { stroke: 'M8 3a5 5 0 1 1 0 10a5 5 0 1 1 0-10z' },
  standby: { stroke: 'M4 8h8M4 5h8M4 11h8' },
  trial: { stroke: 'M8 3a5 5 0 1 1 0 10a5 5 0 1 1 0-10z', fill: 'M8 3a5 5 0 0 1 0 10z' },
  suspect: { fill: 'M8 .8L15.2 8L8 15.2L.8 8z', cut: 'M8 4.6v4M8 10.6v1' },
  evicted: {
    fill: 'M4.4 2h7.2a2.4 2.4 0 0 1 2.4 2.4v7.2a2.4 2.4 0 0 1-2.4 2.4h-7.2a2.4 2.4 0 0 1-2.4-2.4v-7.2a2.4 2.4 0 0 1 2.4-2.4z',
    cut: 'M5.6 5.6l4.8 4.8m0-4.8l-4.8 4.8',
  },
  ejected: { fill: 'M8 2.4L14 9H2zM2 10.8h12v2.6H2z' },
  leaving: { stroke: 'M2.6 3v10M5.4 8h8m-3-3l3 3l-3 3' },
  drained: {
    stroke:
      'M4.8 2.2h6.4a2.6 2.6 0 0 1 2.6 2.6v6.4a2.6 2.6 0 0 1-2.6 2.6h-6.4a2.6 2.6 0 0 1-2.6-2.6v-6.4a2.6 2.6 0 0 1 2.6-2.6zM6.2 5.4v5.2M9.8 5.4v5.2',
  },
};

/** The sign of a state, centred on x and y. */
export function signAt(
  state: string,
  x: number,
  y: number,
  colour: string,
  paper: string,
  size = 11,
): Element {
  const { fill, stroke, cut } = SIGNS[state] ?? {
    stroke: 'M2.4 8a5.6 5.6 0 1 0 11.2 0a5.6 5.6 0 1 0-11.2 0z',
  };
  const scale = size / 16;
  const path = (pathData: string, style: Element): Element => ({
    type: 'path',
    silent: true,
    shape: { pathData },
    style,
  });
  return {
    type: 'group',
    silent: true,
    x: x - size / 2,
    y: y - size / 2,
    scaleX: scale,
    scaleY: scale,
    children: [
      path('M0 0h16v16H0z', { fill: 'rgba(0,0,0,0)' }),
      ...(fill === undefined ? [] : [path(fill, { fill: colour })]),
      ...(stroke === undefined ? [] : [path(stroke, { fill: 'none', stroke: colour, lineWidth: 2 })]),
      ...(cut === undefined ? [] : [path(cut, { fill: 'none', stroke: paper, lineWidth: 2 })]),
    ],
  };
}
