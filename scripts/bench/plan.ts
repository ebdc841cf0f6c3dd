// pure · what is measured and in which order: the cells, and the runs of each.
import { TARGETS } from './targets/index.ts';
import type { Target } from './targets/target.ts';

export const PARTS = ['throughput', 'latency', 'pipeline'] as const;
type Part = (typeof PARTS)[number];

/** `oneshot`: a connection per request. `keep`: one request after another on each connection. */
export const MODES = ['oneshot', 'keep'] as const;

const LATENCY_LOAD = { mode: 'open', payloadBytes: 64, connections: 1000, rate: 1000 } as const;
const PIPELINE_LOAD = { mode: 'pipeline', payloadBytes: 64, connections: 1, depth: 64 } as const;
const WARM_UP_CONNECTIONS = 64;

/** What the generator does. */
export type CellLoad = {
  mode: (typeof MODES)[number] | 'open' | 'pipeline';
  payloadBytes: number;
  /** At a time. The open loop opens one for each request; more than this would mean that nothing is answered. */
  connections: number;
  /** Requests a second of the open loop. */
  rate?: number | undefined;
  /** Requests in flight on each connection of a pipeline. */
  depth?: number | undefined;
};

/** Requests of one kind, and the names of the targets that get them. */
export type Cell = CellLoad & { id: string; part: Part; targets: readonly string[] };

export type PlannedRun = { repetition: number; cell: Cell; target: string };

export type Choice = {
  parts: readonly Part[];
  /** Names. */
  targets: readonly string[];
  modes: readonly (typeof MODES)[number][];
  payloads: readonly number[];
  connections: readonly number[];
};

/** The cells that were chosen, in the order of the report. */
export function cellsOf({ parts, targets, modes, payloads, connections }: Choice): Cell[] {
  const throughput = modes.flatMap((mode) =>
    payloads.flatMap((payloadBytes) =>
      connections.map((count) => ({ mode, payloadBytes, connections: count })),
    ),
  );
  const loads: Record<Part, readonly CellLoad[]> = {
    throughput,
    latency: [LATENCY_LOAD],
    pipeline: [PIPELINE_LOAD],
  };
  return PARTS.filter((part) => parts.includes(part)).flatMap((part) =>
    loads[part]
      .map((load) => ({ ...load, part, id: idOf(load), targets: suitable(load, targets) }))
      .filter((cell) => cell.targets.length > 0),
  );
}

/** All runs: in each repetition each cell with its targets one after the other, every time beginning with another and every other time backwards. */
export function planRuns(cells: readonly Cell[], repetitions: number): PlannedRun[] {
  return Array.from({ length: repetitions }, (_, index) => index + 1).flatMap((repetition) =>
    cells.flatMap((cell, index) =>
      inOrder(cell.targets, repetition, index).map((target) => ({ repetition, cell, target })),
    ),
  );
}

/** A run of each mode with each target that does it, so that no target is measured cold; it is repetition 0. */
export function warmUps(plan: readonly PlannedRun[]): PlannedRun[] {
  const kinds = new Map(plan.map((run) => [`${run.target} ${run.cell.mode}`, run]));
  return [...kinds.values()].map(({ cell, target }) => {
    return { repetition: 0, cell: { ...cell, connections: WARM_UP_CONNECTIONS }, target };
  });
}

/** The targets that any of the cells needs. */
export function targetsOf(cells: readonly Cell[]): Target[] {
  return TARGETS.filter(({ name }) => cells.some((cell) => cell.targets.includes(name)));
}

// With several requests on a connection, a target that chooses a server once would do less than is asked.
function suitable(load: CellLoad, chosen: readonly string[]): string[] {
  const isOneRequest = load.mode === 'oneshot' || load.mode === 'open';
  return TARGETS.filter(({ name }) => chosen.includes(name))
    .filter(
      ({ routesEveryRequest, suits }) => (isOneRequest || routesEveryRequest) && (suits?.(load) ?? true),
    )
    .map(({ name }) => name);
}

function idOf({ mode, payloadBytes, connections, rate, depth }: CellLoad): string {
  if (mode === 'open') return `open ${payloadBytes} B at ${rate}/s`;
  return `${mode} ${payloadBytes} B × ${depth ?? connections}`;
}

// Rotation alone would leave each target behind the same predecessor, but for the first.
function inOrder<T>(items: readonly T[], repetition: number, cell: number): T[] {
  const count = items.length;
  const step = repetition % 2 === 0 ? count - 1 : 1;
  return items.map((_, place) => items[(repetition + cell + place * step) % count] as T);
}
