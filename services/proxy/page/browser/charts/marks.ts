// What is marked on the time axis: faults as shaded windows, servers that went out as dotted lines, and each server's own line.
import type { ClusterState, Fault, History, Out, Server } from '../model/contract.ts';
import { isGood, keyOf, shownState } from '../model/rows.ts';
import { nameOf } from '../model/words.ts';
import {
  type Element,
  type Frame,
  font,
  LABEL_HEIGHT,
  LANE_HEIGHT,
  line,
  MARKS_HEIGHT,
  type Palette,
  signAt,
  text,
  WINDOW_MS,
  xOf,
} from './frame.ts';

const CLOSE_PX = 44;
const LABEL_ROWS = 3;
const LETTER_PX = 6.6;
const LABEL_GAP = 8;
const LANES_OF_ALL = 16;
const LANES_AT_MOST = 24;

/** Those of which the charts show something. */
export function seenFaults(faults: readonly Fault[], nowMs: number): Fault[] {
  return faults.filter(({ untilMs }) => untilMs === null || untilMs > nowMs - WINDOW_MS);
}

/** The faults as windows through all charts. */
export function faultWindows(faults: readonly Fault[], frame: Frame, hatch: unknown): Element[] {
  const bottom = frame.retries.top + frame.retries.height;
  return faults.map((fault) => {
    const { x, width } = spanOf(fault, frame);
    return {
      type: 'rect',
      silent: true,
      shape: { x, y: frame.faultsHeight, width, height: bottom - frame.faultsHeight },
      style: { fill: hatch },
    };
  });
}

/** A name of a fault: where it begins, and in which line from the top. */
export type FaultLabel = { content: string; x: number; row: number };

/**
 * The names of the faults where they began, none on another one: what does not fit into a line goes to the next. Where all
 * lines are taken, the name before counts those that have none of their own: `pause +2`.
 */
export function faultLabels(faults: readonly Fault[], frame: Frame): FaultLabel[] {
  const rows: { label: FaultLabel; kind: string; others: number; endX: number }[] = [];
  const labels: FaultLabel[] = [];
  const widthOf = (content: string): number => content.length * LETTER_PX + LABEL_GAP;
  for (const fault of faults.toSorted((a, b) => a.fromMs - b.fromMs)) {
    const { kind } = fault;
    const x = Math.min(spanOf(fault, frame).x, frame.width - widthOf(`${kind} +99`));
    const free = rows.findIndex(({ endX }) => endX <= x);
    const row = free === -1 ? rows.length : free;
    if (row < LABEL_ROWS) {
      const label = { content: kind, x, row };
      labels.push(label);
      rows[row] = { label, kind, others: 0, endX: x + widthOf(kind) };
      continue;
    }
    const crowded = rows.reduce((a, b) => (b.endX < a.endX ? b : a));
    crowded.others += 1;
    const { label } = crowded;
    label.content = `${crowded.kind} +${crowded.others}`;
    crowded.endX = label.x + widthOf(label.content);
  }
  return labels;
}

/** A bar on top of each fault's window, and the names. */
export function faultMarks(
  faults: readonly Fault[],
  labels: readonly FaultLabel[],
  frame: Frame,
  colours: Palette,
): Element[] {
  const bars = faults.map((fault) => {
    const { x, width } = spanOf(fault, frame);
    const shape = { x, y: frame.faultsHeight - 3, width, height: 3 };
    return { type: 'rect', silent: true, style: { fill: colours.fault }, shape };
  });
  const names = labels.map(({ content, x, row }) =>
    text(content, x, 8 + row * LABEL_HEIGHT, colours.faultText, { font: font(11.5, 600) }),
  );
  return [...bars, ...names];
}

function spanOf({ fromMs, untilMs }: Fault, frame: Frame): { x: number; width: number } {
  const x = xOf(frame, fromMs);
  return { x, width: Math.max(2, xOf(frame, untilMs ?? frame.untilMs) - x) };
}

/** Where servers went out of the rotation; those close together are one mark with a count. */
export function outMarks(outs: readonly Out[], frame: Frame, colours: Palette): Element[] {
  const y = frame.faultsHeight + MARKS_HEIGHT / 2;
  const bottom = frame.retries.top + frame.retries.height;
  const seen = outs.filter(({ fromMs }) => fromMs >= frame.fromMs).toSorted((a, b) => a.fromMs - b.fromMs);
  const groups: { x: number; outs: Out[] }[] = [];
  for (const out of seen) {
    const x = xOf(frame, out.fromMs);
    const last = groups.at(-1);
    if (last !== undefined && x - last.x < CLOSE_PX) last.outs.push(out);
    else groups.push({ x, outs: [out] });
  }
  const lines = seen.map(({ fromMs, state }) => {
    const x = xOf(frame, fromMs);
    return line(x, y + 9, x, bottom, colourOf(state, colours), { lineDash: [2, 2], opacity: 0.75 });
  });
  return [
    ...lines.slice(-60),
    ...groups.flatMap(({ x, outs: together }) => {
      const [first] = together;
      const state = first?.state ?? 'evicted';
      const mark = signAt(state, x, y, colourOf(state, colours), colours.paper);
      if (together.length === 1) return [mark];
      return [mark, text(String(together.length), x + 9, y, colours.ink, { font: font(11.5, 600) })];
    }),
  ];
}

function colourOf(state: string, colours: Palette): string {
  return state in colours ? colours[state as keyof Palette] : colours.leaving;
}

/** Which servers get a line of their own: all of a small cluster, else those that are or were out. */
export function lanesOf(state: ClusterState, history: History): Server[] {
  const servers = state.policies.flatMap((policy) => policy.servers);
  if (servers.length <= LANES_OF_ALL) return servers;
  const wereOut = new Set(history.outs.map(keyOf));
  return servers.filter((server) => !isGood(server) || wereOut.has(keyOf(server))).slice(0, LANES_AT_MOST);
}

/** One line for each server: thin in rotation, thick and with a sign when it is out. */
export function laneElements(
  servers: readonly Server[],
  outs: readonly Out[],
  frame: Frame,
  colours: Palette,
): Element[] {
  return servers.flatMap((server, at) => {
    const y = frame.lanes.top + at * LANE_HEIGHT + LANE_HEIGHT / 2;
    const shown = shownState(server);
    const mine = outs.filter((out) => keyOf(out) === keyOf(server));
    const end = frame.width - frame.right;
    return [
      text(cut(nameOf(server)), frame.left - 6, y, colours.ink2, { textAlign: 'right', font: font(11) }),
      line(frame.left, y, end, y, colours.hair, { lineWidth: 2 }),
      ...mine.flatMap((out) => laneOf(out, y, frame, colours)),
      ...(shown === 'ready'
        ? []
        : [
            signAt(shown, end + 12, y, colourOf(shown, colours), colours.paper, 10),
            text(shown, end + 21, y, colourOf(shown, colours), { font: font(11) }),
          ]),
    ];
  });
}

function laneOf({ fromMs, untilMs, state }: Out, y: number, frame: Frame, colours: Palette): Element[] {
  const [from, to] = [xOf(frame, fromMs), xOf(frame, untilMs ?? frame.untilMs)];
  const colour = colourOf(state, colours);
  const isSeen = fromMs >= frame.fromMs;
  return [
    line(from, y, Math.max(to, from + 2), y, colour, { lineWidth: 4 }),
    ...(isSeen ? [signAt(state, from - 1, y, colour, colours.paper, 10)] : []),
  ];
}

function cut(name: string): string {
  return name.length > 15 ? `${name.slice(0, 14)}…` : name;
}
