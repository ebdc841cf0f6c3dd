// What is marked on the time axis: faults as shaded windows, servers that went out as dotted lines, and each server's own line.
import type { ClusterState, Fault, History, Out, Server } from '../model/contract.ts';
import { keyOf, shownState } from '../model/rows.ts';
import { nameOf } from '../model/words.ts';
import {
  type Element,
  type Frame,
  font,
  LANE_HEIGHT,
  line,
  MARKS_HEIGHT,
  type Palette,
  signAt,
  text,
  xOf,
} from './frame.ts';

const CLOSE_PX = 44;
const LANES_OF_ALL = 16;
const LANES_AT_MOST = 24;

/** The faults as windows through all charts. */
export function faultWindows(faults: readonly Fault[], frame: Frame, hatch: unknown): Element[] {
  const bottom = frame.retries.top + frame.retries.height;
  return faults.map((fault) => {
    const { x, width } = spanOf(fault, frame);
    return {
      ...{ type: 'rect', silent: true },
      shape: { x, y: MARKS_HEIGHT, width, height: bottom - MARKS_HEIGHT },
      style: { fill: hatch },
    };
  });
}

/** A bar and a name on top of each fault's window; where names would lie on each other, one is left out. */
export function faultMarks(faults: readonly Fault[], frame: Frame, colours: Palette): Element[] {
  let labelledUntil = Number.NEGATIVE_INFINITY;
  const ordered = faults.toSorted((a, b) => a.fromMs - b.fromMs);
  return ordered.flatMap((fault) => {
    const { x, width } = spanOf(fault, frame);
    const bar = {
      ...{ type: 'rect', silent: true, style: { fill: colours.fault } },
      shape: { x, y: MARKS_HEIGHT - 3, width, height: 3 },
    };
    if (x < labelledUntil + 8) return [bar];
    labelledUntil = x + fault.kind.length * 6.6;
    return [bar, text(fault.kind, x, 8, colours.faultText, { font: font(11.5, 600) })];
  });
}

function spanOf({ fromMs, untilMs }: Fault, frame: Frame): { x: number; width: number } {
  const x = xOf(frame, fromMs);
  return { x, width: Math.max(2, xOf(frame, untilMs ?? frame.untilMs) - x) };
}

/** Where servers went out of the rotation; those close together are one mark with a count. */
export function outMarks(outs: readonly Out[], frame: Frame, colours: Palette): Element[] {
  const y = (frame.hasFaults ? MARKS_HEIGHT : 0) + MARKS_HEIGHT / 2;
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
  return servers
    .filter((server) => shownState(server) !== 'ready' || wereOut.has(keyOf(server)))
    .slice(0, LANES_AT_MOST);
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
