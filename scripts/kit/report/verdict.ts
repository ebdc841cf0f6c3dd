// pure · the top of the report: the verdict in one sentence, the figures behind it, and the findings.
// Must never tell a verdict by colour alone, or let a pass stand above a failure.
import type { Finding, Judgement, Recording, Verdict } from '../../chaos/journal.ts';
import { countKinds, okLatencies } from '../../chaos/report/figures.ts';
import { detections, readmissions, type Timings } from '../../chaos/report/timings.ts';
import { nearestRank } from '../percentile.ts';
import { count, decimal, duration, percent } from '../words.ts';
import { VERDICT_WORDS } from './format.ts';
import { escapeText } from './html.ts';

const SEVERITY: Readonly<Record<Verdict, number>> = { fail: 0, unknown: 1, pass: 2 };
/** Drawn, not written: not every font has these signs. */
const ICONS: Readonly<Record<Verdict, string>> = {
  pass: 'M3.5 8.5l3 3l6-7',
  fail: 'M4 4l8 8m0-8l-8 8',
  unknown: 'M5.2 5.8a2.8 2.8 0 1 1 4.3 2.4c-1 .7-1.5 1.2-1.5 2.3M8 13v.4',
};

export function verdictIcon(verdict: Verdict): string {
  return `<svg class="icon" viewBox="0 0 16 16" aria-hidden="true"><path d="${ICONS[verdict]}"/></svg>`;
}

/** The badge with one sentence. */
export function verdictBadge(judgement: Judgement, recording: Recording): string {
  const { verdict } = judgement;
  return `<section class="verdict v-${verdict}"><div class="badge">${verdictIcon(verdict)}<span>${VERDICT_WORDS[verdict]}</span></div><p>${escapeText(sentence(judgement, recording))}</p></section>`;
}

function sentence({ verdict, findings }: Judgement, { cutShort }: Recording): string {
  const names = (wanted: Verdict) =>
    findings.filter((each) => each.verdict === wanted).map((each) => each.criterion);
  const [passed, failed, unknown] = [names('pass'), names('fail'), names('unknown')];
  const whole = `${passed.length} of ${findings.length} ${findings.length === 1 ? 'criterion' : 'criteria'} held`;
  const parts = [
    ...(failed.length > 0 ? [`failed: ${some(failed)}`] : []),
    ...(unknown.length > 0 ? [`could not be told: ${some(unknown)}`] : []),
    ...(cutShort !== null ? [`cut short: ${cutShort}`] : []),
  ];
  if (findings.length === 0) return ['Nothing was judged', ...parts].join('; ').concat('.');
  if (verdict === 'pass' && parts.length === 0) return `All ${findings.length} criteria held.`;
  return `${[whole, ...parts].join('; ')}.`;
}

function some(names: readonly string[]): string {
  const shown = names.slice(0, 3).join(', ');
  return names.length > 3 ? `${shown} and ${names.length - 3} more` : shown;
}

/** The figures that one looks for first. */
export function keyFigures(recording: Recording): string {
  const counts = countKinds(recording.requests);
  const { length } = recording.requests;
  const sent = length - counts.dropped;
  const control = okLatencies(recording, ['control']);
  const faults = okLatencies(recording, ['faults']);
  const bound =
    counts.lost === 0 && sent > 0 ? `rate < ${percent(3, sent)} (95 %)` : percent(counts.lost, sent);
  const figures = [
    figure('Requests', count(length), `${count(counts.ok + counts.retried)} ok`),
    figure('Lost', count(counts.lost), bound, counts.lost > 0),
    figure('Wrong', count(counts.wrong), percent(counts.wrong, sent), counts.wrong > 0),
    figure('Errors', count(counts.error), percent(counts.error, sent)),
    figure('Retried, ok', count(counts.retried), percent(counts.retried, sent)),
    figure('Dropped', count(counts.dropped), `${percent(counts.dropped, length)}, by the load itself`),
    latency('p50', 50, control, faults),
    latency('p99', 99, control, faults),
    timing('Detection, max', detections(recording), 'not taken out'),
    timing('Readmission, max', readmissions(recording), 'not back'),
  ];
  return `<dl class="figures">${figures.join('')}</dl>`;
}

function figure(name: string, value: string, note: string, isBad = false): string {
  return `<div${isBad ? ' class="bad"' : ''}><dt>${name}</dt><dd class="value">${value}</dd><dd class="aside">${escapeText(note)}</dd></div>`;
}

function latency(name: string, p: number, control: Float64Array, faults: Float64Array): string {
  const [before, during] = [nearestRank(control, p), nearestRank(faults, p)];
  const value = `<span>${decimal(before)}</span><i>→</i><span>${decimal(during)}</span><small>ms</small>`;
  const factor = before > 0 && Number.isFinite(during) ? `× ${decimal(during / before)}, ` : '';
  return figure(
    `${name}, control → faults`,
    value,
    `${factor}n ${count(control.length)} → ${count(faults.length)}`,
  );
}

function timing(name: string, timings: readonly Timings[], otherwise: string): string {
  const times = timings.flatMap((each) => each.times);
  const none = timings.reduce((sum, each) => sum + each.none, 0);
  const max = times.length === 0 ? null : Math.max(...times);
  return figure(name, duration(max), `n = ${times.length}${none > 0 ? `, ${none} ${otherwise}` : ''}`);
}

/** What makes everything else doubtful; empty when nothing does. */
export function warnings(recording: Recording): string {
  const unproven = recording.faults.filter(({ isProven }) => !isProven);
  const lines = [
    ...(recording.cutShort === null ? [] : [`The run was cut short: ${recording.cutShort}`]),
    ...recording.leftovers.map((leftover) => `Left over after healing: ${leftover}`),
    ...unproven.map(({ id, kind, proof }) => `Fault ${id} (${kind}) is not proven: ${proof}`),
    ...(recording.strayAnswers > 0
      ? [`${count(recording.strayAnswers)} answers came that no request waited for`]
      : []),
  ];
  if (lines.length === 0) return '';
  return `<ul class="warnings">${lines.map((line) => `<li>${escapeText(line)}</li>`).join('')}</ul>`;
}

/** The findings, worst first. */
export function findingsTable({ findings }: Judgement): string {
  if (findings.length === 0) return '<p class="note">No criterion was judged.</p>';
  const rows = findings.toSorted((a, b) => SEVERITY[a.verdict] - SEVERITY[b.verdict]).map(findingRow);
  const head =
    '<th>Verdict</th><th>Criterion</th><th>Measured</th><th>Passes when</th><th class="number">n</th>';
  return `<table class="findings"><thead><tr>${head}</tr></thead>${rows.join('\n')}</table>`;
}

function findingRow({ criterion, verdict, measured, limit, n, details }: Finding): string {
  const isOpen = verdict === 'pass' ? '' : ' open';
  const lines = details.map((detail) => `<li>${escapeText(detail)}</li>`).join('');
  const more =
    details.length === 0
      ? ''
      : `<tr class="more"><td></td><td colspan="4"><details${isOpen}><summary>${details.length === 1 ? 'the worst case' : `the ${details.length} worst cases`}</summary><ul>${lines}</ul></details></td></tr>`;
  return `<tbody class="v-${verdict}"><tr><td class="word">${verdictIcon(verdict)}${VERDICT_WORDS[verdict]}</td><td class="criterion">${escapeText(criterion)}</td><td>${escapeText(measured)}</td><td class="limit">${escapeText(limit)}</td><td class="number">${count(n)}</td></tr>${more}</tbody>`;
}
