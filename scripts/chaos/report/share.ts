// pure · which server answered how much of its policy's requests: in the control phase, during the faults, afterwards.
import { escapeText, figure } from '../../kit/report/html.ts';
import { compareNames, count, percent } from '../../kit/words.ts';
import type { PhaseName, Recording } from '../journal.ts';
import { Observations } from '../judge/observations.ts';

const PHASES: readonly PhaseName[] = ['control', 'faults', 'after'];

type Row = { id: string; name: string; policy: string; answers: Partial<Record<PhaseName, number>> };

/** A table with a bar for each share, as HTML. */
export function shareTable(recording: Recording): string {
  const rows = answersByServer(recording);
  const heads = PHASES.map((phase) => `<th>${phase}</th>`).join('');
  const lines = rows.map((row, index) => {
    const peers = rows.filter(({ policy }) => policy === row.policy);
    const isFirst = index > 0 && rows[index - 1]?.policy !== row.policy;
    const name = `<td title="${escapeText(row.id)}">${escapeText(row.name)}</td>`;
    return `<tr${isFirst ? ' class="first"' : ''}>${name}${PHASES.map((phase) => shareOf(phase, row, peers)).join('')}</tr>`;
  });
  const table = `<table class="share"><thead><tr><th></th>${heads}</tr></thead><tbody>${lines.join('\n')}</tbody></table>`;
  const note = 'Answers within its policy; the tick marks equal shares.';
  const empty = '<p class="note">No server answered.</p>';
  return figure({ title: 'Share of each server', note }, rows.length === 0 ? empty : table);
}

function answersByServer(recording: Recording): Row[] {
  const seen = new Observations(recording);
  const rows = new Map<string, Row>();
  for (const { outcome, detail: id, policy, dueMs } of recording.requests) {
    if (outcome !== 'ok' && outcome !== 'wrong') continue;
    const key = `${policy} ${id}`;
    const row = rows.get(key) ?? { id, name: seen.nameOf(id), policy, answers: {} };
    rows.set(key, row);
    const phase = recording.phases.find(({ fromMs, toMs }) => dueMs >= fromMs && dueMs < toMs);
    if (phase !== undefined) row.answers[phase.name] = (row.answers[phase.name] ?? 0) + 1;
  }
  return [...rows.values()].sort((a, b) => compareNames(a.policy, b.policy) || compareNames(a.name, b.name));
}

function shareOf(phase: PhaseName, { answers }: Row, peers: readonly Row[]): string {
  const own = answers[phase] ?? 0;
  const whole = peers.reduce((sum, peer) => sum + (peer.answers[phase] ?? 0), 0);
  const style = `--share:${whole === 0 ? 0 : ((100 * own) / whole).toFixed(1)}%;--fair:${(100 / peers.length).toFixed(1)}%`;
  return `<td><i style="${style}"></i><span>${percent(own, whole)}</span><span>${count(own)}</span></td>`;
}
