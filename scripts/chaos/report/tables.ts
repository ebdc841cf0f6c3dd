// pure · the end of the report: each fault with its proof, how to run it again, and with what it ran.
// Must never leave out a fault, however many there were.

import { escapeText } from '../../kit/report/html.ts';
import { count, decimal, seconds } from '../../kit/words.ts';
import type { FaultRecord, Recording } from '../journal.ts';

export function faultsTable({ faults }: Recording): string {
  if (faults.length === 0) return '<p class="note">No fault was injected.</p>';
  const head = ['<th class="number">#</th>', '<th>Fault</th>', '<th>Target</th>']
    .concat(['inject, s', 'heal, s', 'lasted, s'].map((name) => `<th class="number">${name}</th>`))
    .concat('<th>Proof</th>', '<th class="number">conntrack</th>')
    .join('');
  return `<table class="faults"><thead><tr>${head}</tr></thead><tbody>${faults.map(faultRow).join('\n')}</tbody></table>`;
}

function faultRow(fault: FaultRecord): string {
  const { id, kind, targets, params, injectMs, healedMs, isProven, proof, conntrack } = fault;
  const numbers = Object.entries(params).map(([name, value]) => `${name} ${value}`);
  const lasted = healedMs === null ? null : healedMs - injectMs;
  const cells = [
    `<td class="number">${id}</td>`,
    `<td><b>${escapeText(kind)}</b>${numbers.length > 0 ? `<br><span class="note">${escapeText(numbers.join(', '))}</span>` : ''}</td>`,
    `<td>${escapeText(targets.join(', '))}</td>`,
    `<td class="number">${seconds(injectMs)}</td>`,
    `<td class="number">${healedMs === null ? 'never' : seconds(healedMs)}</td>`,
    `<td class="number">${seconds(lasted)}</td>`,
    `<td>${isProven ? '' : '<b class="bad">not proven: </b>'}${escapeText(proof)}</td>`,
    `<td class="number">${conntrack === null ? '–' : count(conntrack)}</td>`,
  ];
  return `<tr>${cells.join('')}</tr>`;
}

/** What was run, in the order in which somebody would ask. */
export function setupTable(recording: Recording, versions: Readonly<Record<string, string>>): string {
  const { plan } = recording;
  const phases = recording.phases.map(({ name, fromMs, toMs }) => `${name} ${seconds(toMs - fromMs)} s`);
  const settings = Object.entries(plan.settings).map(([name, value]) => `${name}=${value}`);
  const rows: [string, string][] = [
    ['Scenario', plan.scenario],
    ['Seed', String(plan.seed)],
    ['Started', recording.startedAt],
    ['Length', `${seconds(recording.endedMs)} s`],
    ['Phases', phases.join(', ') || 'none'],
    ['Load', `${count(plan.rate)} requests a second, own delay p99 ${decimal(recording.startLagP99Ms)} ms`],
    ['Clients retry for', plan.retryForMs > 0 ? `${plan.retryForMs} ms` : 'not at all'],
    ['Cluster', `policies ${plan.policies.join(', ')}; ${plan.serversPerPolicy} servers each`],
    ['Settings', settings.join(', ') || 'as they are by default'],
  ];
  return pairs(rows) + pairs(Object.entries(versions));
}

function pairs(rows: readonly (readonly [string, string])[]): string {
  const lines = rows.map(
    ([name, value]) => `<tr><th>${escapeText(name)}</th><td>${escapeText(value)}</td></tr>`,
  );
  return `<table class="pairs"><tbody>${lines.join('')}</tbody></table>`;
}
