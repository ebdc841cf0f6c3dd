// pure · the policy table as text for a terminal. Must never ask for anything: it draws what it is handed.
import { styleText } from 'node:util';
import { printable } from '../../services/shared/printable.ts';
import { type PolicyRow, type PolicySnapshot, type ServerRow, serverIds } from '../kit/policies.ts';

type Style = Parameters<typeof styleText>[0];
type Cell = { text: string; style?: Style };
type Column = { title: string; isNumber?: boolean; cell: (server: ServerRow, place: Place) => Cell };
type Place = { isFirst: boolean; isNext: boolean; nowMs: number; names: ReadonlyMap<string, string> };

const STATE_STYLES: Readonly<Record<string, Style>> = {
  ready: 'green',
  joining: 'cyan',
  trial: 'cyan',
  suspect: 'yellow',
  leaving: 'yellow',
  ejected: 'red',
  evicted: 'red',
};

/** The column that is left out where no server is a container. */
const CONTAINER = 'container';

const COLUMNS: readonly Column[] = [
  { title: 'policy', cell: ({ policy }, { isFirst }) => ({ text: isFirst ? policy : '', style: 'bold' }) },
  {
    title: 'server',
    cell: ({ id }, { isNext }) => ({ text: `${isNext ? '› ' : '  '}${String(id)}` }),
  },
  { title: CONTAINER, cell: ({ id }, { names }) => ({ text: names.get(String(id)) ?? '' }) },
  { title: 'address', cell: ({ address }) => ({ text: address }) },
  { title: 'state', cell: ({ state }) => ({ text: state, style: STATE_STYLES[state] ?? 'reset' }) },
  { title: 'since', isNumber: true, cell: ({ since }, { nowMs }) => ({ text: age(since, nowMs) }) },
  { title: 'probe', isNumber: true, cell: ({ lastProbe }) => probe(lastProbe) },
  { title: 'served', isNumber: true, cell: ({ served }) => ({ text: String(served) }) },
  { title: 'failed', isNumber: true, cell: ({ failed }) => count(failed, 'red') },
  { title: 'in flight', isNumber: true, cell: ({ inFlight }) => ({ text: String(inFlight) }) },
  { title: 'why', cell: ({ why }) => ({ text: why, style: 'dim' }) },
];

/**
 * Draws the table: one line a server, `›` before the one whose turn is next.
 * @param isColoured false draws the same text without a single escape sequence
 * @param width lines are cut to this many columns; 0 leaves them as long as they are
 * @param names the containers' names by server id; none of the table's servers among them, and there is no such column
 */
export function renderPolicyTable(
  snapshot: PolicySnapshot,
  isColoured: boolean,
  width = 0,
  names: ReadonlyMap<string, string> = new Map(),
): string {
  const nowMs = Date.parse(snapshot.at);
  const columns = serverIds(snapshot).some((id) => names.has(id))
    ? COLUMNS
    : COLUMNS.filter(({ title }) => title !== CONTAINER);
  // Policies, ids and reasons come from whoever connects: they must not be able to move the cursor of who looks at them.
  const rows = snapshot.policies
    .flatMap((policy) => rowsOf(policy, columns, nowMs, names))
    .map((row) => row.map((cell) => ({ ...cell, text: printable(cell.text) })));
  if (rows.length === 0) return 'No server has registered yet.\n';
  const header = columns.map(({ title }): Cell => ({ text: title, style: 'dim' }));
  const widths = columns.map((_, i) => Math.max(...[header, ...rows].map((row) => row[i]?.text.length ?? 0)));
  const lines = [header, ...rows].map((row) => drawRow(row, columns, widths, isColoured, width));
  return `${lines.join('\n')}\n`;
}

function rowsOf(
  policy: PolicyRow,
  columns: readonly Column[],
  nowMs: number,
  names: ReadonlyMap<string, string>,
): Cell[][] {
  if (policy.servers.length === 0) return [[{ text: policy.policy }, { text: '  (no server)' }]];
  return policy.servers.map((server, i) =>
    columns.map(({ cell }) =>
      cell(server, { isFirst: i === 0, isNext: i === policy.nextIndex, nowMs, names }),
    ),
  );
}

function drawRow(
  row: readonly Cell[],
  columns: readonly Column[],
  widths: readonly number[],
  isColoured: boolean,
  width: number,
): string {
  let left = width === 0 ? Number.POSITIVE_INFINITY : width;
  let line = '';
  row.forEach(({ text, style }, i) => {
    const cellWidth = widths[i] ?? 0;
    const padded = columns[i]?.isNumber === true ? text.padStart(cellWidth) : text.padEnd(cellWidth);
    const isLast = i === row.length - 1;
    const cut = (isLast ? padded.trimEnd() : `${padded}  `).slice(0, Math.max(left, 0));
    left -= cut.length;
    // The stream's own opinion would win over the caller's otherwise.
    line += isColoured && style !== undefined ? styleText(style, cut, { validateStream: false }) : cut;
  });
  return isColoured ? line : line.trimEnd();
}

function probe(last: ServerRow['lastProbe']): Cell {
  if (last === null) return { text: '–', style: 'dim' };
  if (last.outcome !== 'pass') return { text: last.outcome, style: 'red' };
  return { text: last.roundTripMs === null ? 'pass' : `${last.roundTripMs.toFixed(1)} ms` };
}

function count(value: number, style: Style): Cell {
  return value === 0 ? { text: '0' } : { text: String(value), style };
}

/** A span of time in one unit, as short as it can be read: `0.4 s`, `12 s`, `5 min`, `3 h`, `2 d`. */
function age(since: string, nowMs: number): string {
  const seconds = Math.max(0, (nowMs - Date.parse(since)) / 1000);
  if (Number.isNaN(seconds)) return '–';
  if (seconds < 10) return `${seconds.toFixed(1)} s`;
  if (seconds < 120) return `${Math.floor(seconds)} s`;
  if (seconds < 7_200) return `${Math.floor(seconds / 60)} min`;
  if (seconds < 172_800) return `${Math.floor(seconds / 3_600)} h`;
  return `${Math.floor(seconds / 86_400)} d`;
}
