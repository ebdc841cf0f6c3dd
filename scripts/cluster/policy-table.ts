// pure · the policy table as text for a terminal.
import { styleText } from 'node:util';
import { duration } from '../../services/proxy/page/browser/model/words.ts';
import { printable } from '../../services/shared/printable.ts';
import { type PolicyRow, type PolicySnapshot, type ServerRow, serverIds } from '../kit/policies.ts';
import { textTable } from '../kit/words.ts';

type Style = Parameters<typeof styleText>[0];
type Cell = readonly [text: string, style?: Style];

const STATE_STYLES: Readonly<Record<string, Style>> = {
  ready: 'green',
  standby: 'reset',
  joining: 'cyan',
  trial: 'cyan',
  suspect: 'yellow',
  leaving: 'yellow',
  ejected: 'red',
  evicted: 'red',
};
const BEFORE_NAMES = ['policy', 'server'];
const BEHIND_NAMES = ['address', 'state', 'since', 'probe', 'served', 'failed', 'in flight', 'why'];

/**
 * Draws the table: one line a server, `›` before the one whose turn is next; below it the workers, where there are several.
 * @param isColoured false draws the same text without a single escape sequence
 * @param names the containers' names by server id; with none of the table's servers among them there is no such column
 */
export function renderPolicyTable(
  snapshot: PolicySnapshot,
  isColoured: boolean,
  names: ReadonlyMap<string, string> = new Map(),
): string {
  const nowMs = Date.parse(snapshot.at);
  const isNamed = serverIds(snapshot).some((id) => names.has(id));
  const rows = snapshot.policies.flatMap((policy) => rowsOf(policy, nowMs, isNamed ? names : null));
  const { workers = 1 } = snapshot;
  const below = workers > 1 ? [`${workers} workers serve requests, with this one table.`] : [];
  if (rows.length === 0) return lines('No server has registered yet.', ...below);
  const titles = [...BEFORE_NAMES, ...(isNamed ? ['container'] : []), ...BEHIND_NAMES];
  const table = [titles.map((title): Cell => [title, 'dim']), ...rows].map((row) =>
    row.map(([text, style]) => {
      // Policies, ids and reasons come from peers: they must not be able to move the cursor.
      const shown = printable(text);
      // The stream's own opinion would win over the caller's otherwise.
      return isColoured && style ? styleText(style, shown, { validateStream: false }) : shown;
    }),
  );
  return lines(...textTable(table, isNamed ? 'lllllrrrrrl' : 'llllrrrrrl'), ...below);
}

function lines(...all: string[]): string {
  return all.map((line) => `${line}\n`).join('');
}

function rowsOf(
  { policy, nextId, servers }: PolicyRow,
  nowMs: number,
  names: ReadonlyMap<string, string> | null,
): Cell[][] {
  if (servers.length === 0) return [[[policy, 'bold'], ['  (no server)']]];
  return servers.map((server, i) => [
    [i === 0 ? policy : '', 'bold'],
    [`${server.id === nextId ? '› ' : '  '}${server.id}`],
    ...(names === null ? [] : [[names.get(String(server.id)) ?? ''] as const]),
    [server.address],
    stateOf(server),
    [duration(nowMs - Date.parse((server.drained ?? server).since))],
    probe(server.lastProbe),
    [String(server.served)],
    server.failed === 0 ? ['0'] : [String(server.failed), 'red'],
    [String(server.inFlight)],
    [whyOf(server), 'dim'],
  ]);
}

function stateOf({ state, drained }: ServerRow): Cell {
  return drained === null ? [state, STATE_STYLES[state] ?? 'reset'] : ['drained', 'magenta'];
}

function whyOf({ state, drained, why }: ServerRow): string {
  if (drained === null) return why;
  const reason = drained.reason === '' ? '' : `: ${drained.reason}`;
  return `by order of ${drained.by}${reason} (measured ${state}: ${why})`;
}

function probe(last: ServerRow['lastProbe']): Cell {
  if (last === null) return ['–', 'dim'];
  if (last.outcome !== 'pass') return [last.outcome, 'red'];
  return [`${last.roundTripMs.toFixed(1)} ms`];
}
