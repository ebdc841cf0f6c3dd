// pure · a row for each kind of outcome that isn't simply good, with its count in each second.
// Must never let many of one kind flatten a few of another: each row has its own scale, and one request is seen.

import { coordinate } from '../../kit/report/format.ts';
import { LEFT, RIGHT, type TimeAxis, timeChart } from '../../kit/report/frame.ts';
import { symbolPath } from '../../kit/report/symbols.ts';
import { count } from '../../kit/words.ts';
import type { Recording } from '../journal.ts';
import { type Bucket, bucketsOf } from './buckets.ts';
import { countKinds, KIND_WORDS, KINDS, type Kind } from './figures.ts';

const ROW = 26;
const MIN_BAR = 3;
const TROUBLE = KINDS.filter((kind) => kind !== 'ok');

export function troubleChart(recording: Recording, axis: TimeAxis): string {
  const buckets = bucketsOf(recording);
  const counts = countKinds(recording.requests);
  return timeChart(axis, {
    label: 'Requests a second that did not go well at once, by outcome',
    height: TROUBLE.length * ROW,
    draw: (top) =>
      TROUBLE.map((kind, index) => row(kind, counts[kind], buckets, axis, top + (index + 1) * ROW)).join(
        '\n',
      ),
  });
}

function row(kind: Kind, total: number, buckets: readonly Bucket[], axis: TimeAxis, base: number): string {
  const max = Math.max(0, ...buckets.map(({ rates }) => rates[kind]));
  const middle = base - ROW / 2 + 3;
  const symbol = `<path class="symbol k-${kind}" d="${symbolPath(kind, 8, middle)}"/>`;
  const name = `<text class="name" x="20" y="${middle}" dy=".35em">${KIND_WORDS[kind]}</text>`;
  const scale =
    max > 0 ? `<text class="tick end" x="${LEFT - 7}" y="${middle}" dy=".35em">${perSecond(max)}</text>` : '';
  const label = `<g${total === 0 ? ' class="dim"' : ''}>${symbol}${name}${scale}</g>`;
  const rule = `<path class="rule" d="M${LEFT} ${base}H${RIGHT}"/>`;
  return label + rule + bars(kind, max, buckets, axis, base);
}

function perSecond(rate: number): string {
  return `max ${count(Math.ceil(rate))}/s`;
}

function bars(kind: Kind, max: number, buckets: readonly Bucket[], axis: TimeAxis, base: number): string {
  const shapes = buckets.flatMap(({ fromS, rates }) => {
    const rate = rates[kind];
    if (rate === 0) return [];
    const [from, to] = [axis.x(fromS * 1000), axis.x((fromS + 1) * 1000)];
    const height = Math.max((rate / max) * (ROW - 7), MIN_BAR);
    return `M${coordinate(from)} ${base}v-${coordinate(height)}h${coordinate(Math.max(to - from, 1.5))}v${coordinate(height)}z`;
  });
  return shapes.length === 0 ? '' : `<path class="fill-k-${kind}" d="${shapes.join('')}"/>`;
}
