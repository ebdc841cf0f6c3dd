// pure · what is measured, and in which order: the cells, and the runs of each.
// Must never let one target always run first, or always right after the same other one: the order rotates and reverses.

export const PARTS = ['throughput', 'latency', 'pipeline', 'growth', 'clients'] as const;
export type Part = (typeof PARTS)[number];

/**
 * `direct` is a server without any proxy, `bare-node` a Node process that answers by itself, `haproxy-1` HAProxy on one
 * thread, and `baseline` another version of this proxy.
 */
export const TARGETS = [
  'direct',
  'bare-node',
  'haproxy',
  'haproxy-1',
  'nginx',
  'thread-per-request',
  'baseline',
  'policy-proxy',
] as const;
export type TargetName = (typeof TARGETS)[number];

/** `oneshot`: a connection per request. `keep`: one request after another on each connection. */
export const MODES = ['oneshot', 'keep'] as const;
type Mode = (typeof MODES)[number];

export const DEFAULT_PAYLOADS = [64, 1000] as const;
export const DEFAULT_CONNECTIONS = [1, 64, 512] as const;

/** Requests a second of the open loop. */
const OPEN_RATE = 1000;
/** The open loop opens a connection per request; more than this at once would mean that nothing is answered. */
const OPEN_CONNECTIONS = 1000;
const PIPELINE_DEPTH = 64;
const SMALL_BYTES = 64;
const MIDDLE_CONNECTIONS = 64;
// Starting the generator, its warm-up and the pause in which connections die.
const OVERHEAD_SECONDS = 0.6;

// In TCP mode the others choose a server once per connection. With several requests on it they would do less than is asked.
const ROUTES_EVERY_REQUEST: readonly TargetName[] = ['direct', 'baseline', 'policy-proxy'];

/** Requests of one kind. `rate` and `depth` are null where the mode has none. */
export type Cell = {
  id: string;
  part: 'throughput' | 'latency' | 'pipeline';
  mode: Mode | 'open' | 'pipeline';
  payloadBytes: number;
  connections: number;
  /** Requests a second, in the open loop. */
  rate: number | null;
  /** Requests in flight on each connection. */
  depth: number | null;
  targets: readonly TargetName[];
};

export type PlannedRun = { repetition: number; cell: Cell; target: TargetName };

export type Choice = {
  parts: readonly Part[];
  targets: readonly TargetName[];
  modes: readonly Mode[];
  payloads: readonly number[];
  connections: readonly number[];
};

/** The cells that were chosen, in the order of the report. */
export function cellsOf({ parts, targets, modes, payloads, connections }: Choice): Cell[] {
  const cells: Cell[] = [];
  const add = (cell: Omit<Cell, 'id' | 'targets'>): void => {
    const chosen = targets.filter((target) => suits(target, cell));
    if (chosen.length > 0) cells.push({ ...cell, id: idOf(cell), targets: chosen });
  };
  const closed = { part: 'throughput', rate: null, depth: null } as const;
  if (parts.includes('throughput')) {
    for (const mode of modes) {
      for (const payloadBytes of payloads) {
        for (const count of connections) add({ ...closed, mode, payloadBytes, connections: count });
      }
    }
  }
  const small = { payloadBytes: SMALL_BYTES, rate: null, depth: null };
  if (parts.includes('latency')) {
    add({ ...small, part: 'latency', mode: 'open', connections: OPEN_CONNECTIONS, rate: OPEN_RATE });
  }
  if (parts.includes('pipeline')) {
    add({ ...small, part: 'pipeline', mode: 'pipeline', connections: 1, depth: PIPELINE_DEPTH });
  }
  return cells;
}

/** All runs: in each repetition each cell with its targets one after the other, every time beginning with another and every other time backwards. */
export function planRuns(cells: readonly Cell[], repetitions: number): PlannedRun[] {
  return Array.from({ length: repetitions }, (_, index) => index + 1).flatMap((repetition) =>
    cells.flatMap((cell, index) =>
      inOrder(cell.targets, repetition, index).map((target) => ({ repetition, cell, target })),
    ),
  );
}

/** A run of each kind with each target that does it: what has never served is not what is to be measured. */
export function warmUps(plan: readonly PlannedRun[]): PlannedRun[] {
  const kinds = new Map(plan.map((run) => [`${run.target} ${run.cell.mode}`, run]));
  return [...kinds.values()];
}

/** How long so many runs take, in seconds. */
export function estimateSeconds(runs: number, secondsEach: number): number {
  return runs * (secondsEach + OVERHEAD_SECONDS);
}

/** The targets that any of the cells needs. */
export function targetsOf(cells: readonly Cell[]): TargetName[] {
  return TARGETS.filter((target) => cells.some((cell) => cell.targets.includes(target)));
}

function suits(target: TargetName, cell: Omit<Cell, 'id' | 'targets'>): boolean {
  switch (cell.mode) {
    case 'oneshot':
      // One cell says what there is to say about it.
      return (
        target !== 'thread-per-request' ||
        (cell.payloadBytes === SMALL_BYTES && cell.connections === MIDDLE_CONNECTIONS)
      );
    case 'open':
      return target !== 'thread-per-request';
    case 'keep':
      return target === 'bare-node' || ROUTES_EVERY_REQUEST.includes(target);
    case 'pipeline':
      return ROUTES_EVERY_REQUEST.includes(target);
    default:
      return cell.mode satisfies never;
  }
}

function idOf({ mode, payloadBytes, connections, rate, depth }: Omit<Cell, 'id' | 'targets'>): string {
  switch (mode) {
    case 'open':
      return `open ${payloadBytes} B at ${rate}/s`;
    case 'pipeline':
      return `pipeline ${payloadBytes} B × ${depth}`;
    default:
      return `${mode} ${payloadBytes} B × ${connections}`;
  }
}

// From another one each time, and every other time backwards: rotation alone would leave everybody behind the same
// predecessor, but for the first.
function inOrder<T>(items: readonly T[], repetition: number, cell: number): T[] {
  const count = items.length;
  const step = repetition % 2 === 0 ? count - 1 : 1;
  return items.map((_, place) => items[(repetition + cell + place * step) % count] as T);
}
