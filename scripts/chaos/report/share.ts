// pure · who answered how much: in the control phase, while faults went on, and afterwards.
// Must never mix policies: a share is one of its own policy.

import { coordinate } from '../../kit/report/format.ts';
import { LEFT, RIGHT, svg } from '../../kit/report/frame.ts';
import { escapeText } from '../../kit/report/html.ts';
import { nothingHere } from '../../kit/report/symbols.ts';
import { compareNames, count, percent, shorten } from '../../kit/words.ts';
import type { PhaseName, Recording } from '../journal.ts';
import { isWithin, nameOf } from './figures.ts';

const ROW = 20;
const POLICY_GAP = 8;
const HEAD = 30;
const BAR = 150;
const PHASES: readonly { title: string; names: readonly PhaseName[] }[] = [
  { title: 'control', names: ['control'] },
  { title: 'faults', names: ['faults'] },
  { title: 'after', names: ['after'] },
];
const PANEL = (RIGHT - LEFT) / PHASES.length;

type Row = { id: string; name: string; policy: string; answers: number[] };

export function shareChart(recording: Recording): string {
  const rows = answersByServer(recording);
  const heads = PHASES.map(
    ({ title }, index) =>
      `<text class="name strong" x="${coordinate(LEFT + index * PANEL)}" y="14">${title}</text>`,
  );
  if (rows.length === 0) {
    return svg('share', 'Answers of each server', HEAD + 24, nothingHere(HEAD + 8, 'No server answered.'));
  }
  let top = HEAD - 4;
  const drawn = rows.map((row, index) => {
    if (index > 0) top += ROW + (rows[index - 1]?.policy === row.policy ? 0 : POLICY_GAP);
    return drawRow(row, rows, top);
  });
  return svg('share', 'Answers of each server by phase', top + ROW + 4, heads.join('') + drawn.join('\n'));
}

function answersByServer(recording: Recording): Row[] {
  const spans = PHASES.map(({ names }) => recording.phases.filter(({ name }) => names.includes(name)));
  const rows = new Map<string, Row>();
  for (const { outcome, detail, policy, dueMs } of recording.requests) {
    if (outcome !== 'ok' && outcome !== 'wrong') continue;
    const key = `${policy} ${detail}`;
    const row = rows.get(key) ?? {
      id: detail,
      name: nameOf(recording.names, detail),
      policy,
      answers: PHASES.map(() => 0),
    };
    rows.set(key, row);
    spans.forEach((phase, index) => {
      if (isWithin(dueMs, phase)) row.answers[index] = (row.answers[index] ?? 0) + 1;
    });
  }
  return [...rows.values()].sort((a, b) => compareNames(a.policy, b.policy) || compareNames(a.name, b.name));
}

function drawRow(row: Row, all: readonly Row[], top: number): string {
  const middle = top + ROW / 2;
  const label = `<text class="name" x="0" y="${middle}" dy=".35em"><title>${escapeText(row.id)}</title>${escapeText(shorten(row.name, 24))}</text>`;
  const peers = all.filter(({ policy }) => policy === row.policy);
  const panels = row.answers.map((answers, index) => {
    const whole = peers.reduce((sum, peer) => sum + (peer.answers[index] ?? 0), 0);
    const x = LEFT + index * PANEL;
    const width = whole === 0 ? 0 : (answers / whole) * BAR;
    const fair = coordinate(x + BAR / peers.length);
    return `<rect class="share-ground" x="${coordinate(x)}" y="${top + 4}" width="${BAR}" height="${ROW - 8}"/><rect class="share-bar" x="${coordinate(x)}" y="${top + 4}" width="${coordinate(width)}" height="${ROW - 8}"/><path class="fair" d="M${fair} ${top + 2}V${top + ROW - 2}"/><text class="name number end" x="${coordinate(x + BAR + 58)}" y="${middle}" dy=".35em">${percent(answers, whole)}</text><text class="name number end dim" x="${coordinate(x + BAR + 124)}" y="${middle}" dy=".35em">${count(answers)}</text>`;
  });
  return label + panels.join('');
}
