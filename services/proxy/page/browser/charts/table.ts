// The figures behind the charts, a row for each minute.
import { html } from '../html.ts';
import type { Fault, History } from '../model/contract.ts';
import { knownName } from '../model/names.ts';
import { clockTime, milliseconds, rate, whole } from '../model/words.ts';

const MINUTE_MS = 60_000;

type Minute = {
  atMs: number;
  rate: number | null;
  p50: number | null;
  p99: number | null;
  errors: number;
  retries: number;
};

/** What the charts show, minute by minute, newest first. */
function minutesOf(history: History): Minute[] {
  const { fromMs, stepMs } = history;
  const minutes = new Map<number, number[]>();
  for (const at of history.rate.keys()) {
    const atMs = Math.floor((fromMs + at * stepMs) / MINUTE_MS) * MINUTE_MS;
    minutes.set(atMs, [...(minutes.get(atMs) ?? []), at]);
  }
  const pick = (values: readonly (number | null)[], indices: readonly number[]): number[] =>
    indices.map((at) => values[at] ?? null).filter((value) => value !== null);
  const total = (values: readonly number[]): number =>
    values.reduce((sum, value) => sum + value, 0) * (stepMs / 1000);
  const mean = (values: readonly number[]): number | null =>
    values.length === 0 ? null : values.reduce((sum, value) => sum + value, 0) / values.length;
  return [...minutes]
    .map(([atMs, indices]) => ({
      atMs,
      rate: mean(pick(history.rate, indices)),
      p50: mean(pick(history.p50Ms, indices)),
      p99: mean(pick(history.p99Ms, indices)),
      errors: Object.values(history.errors).reduce((sum, values) => sum + total(pick(values, indices)), 0),
      retries: total(pick(history.retries, indices)),
    }))
    .reverse();
}

export function HistoryTable({ history, faults }: { history: History; faults: readonly Fault[] }) {
  return html`
    <details class="figures-table">
      <summary>The figures as a table</summary>
      <table>
        <caption class="hidden">The last 10 minutes, one row a minute</caption>
        <thead><tr>${['Minute', 'Requests/s', 'p50 ms', 'p99 ms', 'Errors', 'Retries'].map((name) => html`<th scope="col">${name}</th>`)}</tr></thead>
        <tbody>${minutesOf(history).map(
          (minute) => html`<tr key=${minute.atMs}><th scope="row">${clockTime(minute.atMs).slice(0, 5)}</th>
            <td>${minute.rate === null ? '–' : rate(minute.rate)}</td><td>${milliseconds(minute.p50)}</td><td>${milliseconds(minute.p99)}</td>
            <td>${whole(minute.errors)}</td><td>${whole(minute.retries)}</td></tr>`,
        )}</tbody>
      </table>
      <table>
        <caption>Servers that were out</caption>
        <thead><tr>${['Server', 'From', 'Until', 'State', 'Why'].map((name) => html`<th scope="col">${name}</th>`)}</tr></thead>
        <tbody>${history.outs
          .toReversed()
          .slice(0, 30)
          .map(
            (
              out,
            ) => html`<tr><th scope="row">${knownName(out)}, policy ${out.policy}</th><td>${clockTime(out.fromMs)}</td>
            <td>${out.untilMs === null ? 'still' : clockTime(out.untilMs)}</td><td>${out.state}</td><td>${out.why}</td></tr>`,
          )}</tbody>
      </table>
      ${
        faults.length > 0 &&
        html`<table>
        <caption>Faults that were injected</caption>
        <thead><tr>${['Fault', 'On', 'From', 'Until'].map((name) => html`<th scope="col">${name}</th>`)}</tr></thead>
        <tbody>${faults
          .toReversed()
          .slice(0, 30)
          .map(
            ({ kind, target, fromMs, untilMs }) => html`<tr><th scope="row">${kind}</th><td>${target}</td>
            <td>${clockTime(fromMs)}</td><td>${untilMs === null ? 'still' : clockTime(untilMs)}</td></tr>`,
          )}</tbody>
      </table>`
      }
    </details>`;
}
