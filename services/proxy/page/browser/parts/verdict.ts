// How things stand, in one sentence and six figures.
import { html } from '../html.ts';
import { now } from '../model/clock.ts';
import { model } from '../model/store.ts';
import { type Verdict, verdictOf } from '../model/verdict.ts';
import { clockTime, count, duration, milliseconds, percent, whole } from '../model/words.ts';
import { sign } from './sign.ts';
import { ago } from './ticking.ts';

const SIGNS = { good: 'good', warn: 'warn', bad: 'none', none: 'none' } as const;
const RESTART_TOLD_MS = 60_000;

/** The verdict of now; null before the first word of the proxy. */
export function currentVerdict(): Verdict | null {
  const { state, hello, connection } = model;
  if (state === null || hello === null) return null;
  const verdict = verdictOf(state, hello, now());
  if (connection.kind !== 'stale') return verdict;
  const [first = ''] = verdict.sentence.split('. ');
  return {
    level: 'none',
    sentence: `At ${clockTime(connection.sinceMs)}: ${first.charAt(0).toLowerCase()}${first.slice(1)}`,
    detail:
      'Nobody knows what has happened since. The proxy may be down, or only this page may have lost it.',
  };
}

export function VerdictPanel() {
  const verdict = currentVerdict();
  const { connection, state } = model;
  if (verdict === null || state === null) {
    return html`<section class="panel verdict" id="verdict" tabindex="-1"><div class="say">
      ${sign('joining', 22)}<div><h1>Waiting for the proxy’s first word</h1><p>The page is here; its figures come with the stream.</p></div>
    </div></section>`;
  }
  return html`
    <section class=${`panel verdict is-${verdict.level}`} id="verdict" tabindex="-1" aria-label="How things stand">
      <div class="say">
        ${sign(connection.kind === 'stale' ? 'ring' : SIGNS[verdict.level], 22)}
        <div><h1>${verdict.sentence}</h1><p>${verdict.detail}</p><${Restarted} /></div>
      </div>
      <${Figures} />
      <${ChaosLine} />
    </section>`;
}

function Restarted() {
  const { restartSeenMs, hello, connection } = model;
  if (restartSeenMs === null || hello === null || connection.kind === 'stale') return null;
  if (Date.now() - restartSeenMs > RESTART_TOLD_MS) return null;
  return html`<p class="restarted">The proxy restarted ${ago(hello.startedMs)} ago; what it counted before is gone.</p>`;
}

function figure(name: string, value: string, unit: string, below: string) {
  return html`<div class="figure"><dt>${name}</dt><dd><b>${value}</b>${value === '–' ? '' : unit}</dd><dd class="below">${below}</dd></div>`;
}

function Figures() {
  const { state, history, hello } = model;
  if (state === null) return null;
  const { requestsPerS, connections, inFlight, waiting, p50Ms, p99Ms, retriesPerS } = state.proxy;
  const errors = history === null ? 0 : sum(Object.values(history.errors).flat());
  const asked = history === null ? 0 : sum(history.rate) * (history.stepMs / 1000);
  const answered = asked < 1 ? '–' : percentOf(Math.max(0, 1 - errors / Math.max(asked, errors)));
  const budget = hello?.thresholds.retryBudget;
  const retries = history === null ? 0 : Math.round(sum(history.retries) * (history.stepMs / 1000));
  const allowed = budget === undefined ? 'of all requests' : `of ${percent(budget)} % allowed`;
  const noSample = 'no request yet';
  return html`
    <dl class="figures">
      ${figure('Requests', whole(requestsPerS), '/s', count(connections, 'connection'))}
      ${figure('Answered', answered, '%', asked < 1 ? 'none yet' : `${count(errors, 'error')} in 10 min`)}
      ${figure('Median', milliseconds(p50Ms), 'ms', p50Ms === null ? noSample : 'p50, now')}
      ${figure('Slowest 1 %', milliseconds(p99Ms), 'ms', p99Ms === null ? noSample : 'p99, now')}
      ${figure('In flight', whole(inFlight), '', `${whole(waiting)} wait for a server`)}
      ${figure(
        'Retries',
        requestsPerS < 0.05 ? '–' : percent(retriesPerS / requestsPerS),
        '%',
        retriesPerS === 0 && retries > 0 ? `${count(retries, 'retry', 'retries')} in 10 min` : allowed,
      )}
    </dl>`;
}

function sum(values: readonly (number | null)[]): number {
  return values.reduce((total: number, value) => total + (value ?? 0), 0);
}

function percentOf(share: number): string {
  if (share === 1) return '100';
  return share > 0.999 ? (Math.floor(share * 100_000) / 1000).toFixed(3) : (share * 100).toFixed(1);
}

function ChaosLine() {
  const { connection } = model;
  const faults = model.faults.filter(({ untilMs }) => untilMs === null);
  if (faults.length === 0) return null;
  const then = connection.kind === 'stale' ? ' by then' : '';
  return html`
    <div class="chaos">
      <span class="name">${sign('fault', 13)}<b>Chaos run</b></span>
      ${faults.map(
        (fault) =>
          html`<span key=${fault.id}><b>${fault.kind} ${fault.target}</b>, on for ${then === '' ? ago(fault.fromMs) : duration(now() - fault.fromMs)}${then}</span>`,
      )}
    </div>`;
}
