// pure · the result of a run → text for a person.
// Must never leave out a count because it is 0: that nothing was lost is the news.
import type { LoadOptions } from './options.ts';
import { type LoadResult, verdictOf } from './result.ts';
import type { Latencies } from './tally.ts';

/** Several lines, the verdict last; no trailing line end. */
export function formatReport(result: LoadResult, allowErrors: boolean): string {
  return [
    headline(result),
    '',
    count('sent', result.sent, `${decimal(result.achievedRate)}/s of ${decimal(result.options.rate)}/s`),
    ...(result.options.retryForMs > 0
      ? [count('retried', result.retried, `${result.attempts} attempts in all`)]
      : []),
    count('answered', result.answered),
    count('wrong', result.wrong, result.wrong > 0 ? 'digest is not that of the payload' : ''),
    count('errors', result.errorReplies, list(result.errors)),
    count('lost', result.lost, list(result.lostBy)),
    count('dropped', result.dropped, list(result.droppedBy) || 'by the generator itself'),
    ...(result.strayAnswers > 0
      ? [count('stray', result.strayAnswers, 'answers that no request was waiting for')]
      : []),
    ...faultsDue(result),
    '',
    latencies('latency', result.latencyMs),
    ...(result.errorReplies > 0 ? [latencies('of errors', result.errorLatencyMs)] : []),
    latencies('own delay', result.startLagMs),
    '',
    ...serverTable(result),
    '',
    verdict(result, allowErrors),
  ].join('\n');
}

function faultsDue({ faultsDue: due }: LoadResult): string[] {
  if (due === null) return [];
  const [first, last] = [due.firstMs, due.lastMs].map((ms) => (ms / 1000).toFixed(2));
  return [`  Those not answered right were due from ${first} s to ${last} s after the start.`];
}

function headline(result: LoadResult): string {
  const { options } = result;
  const ended = result.wasInterrupted ? `, ended early: ${result.due} of ${result.planned} were due` : '';
  return `${result.due} requests of ${options.payloadBytes} bytes in ${decimal(result.elapsedMs / 1000)} s to ${options.host}:${options.port}, ${connections(options)}${ended}`;
}

function connections(options: LoadOptions): string {
  switch (options.connection) {
    case 'per-request':
      return 'one connection each';
    case 'keep':
      return `${options.connections} connections kept`;
    default:
      return options.connection satisfies never;
  }
}

function count(name: string, value: number, remark = ''): string {
  return `  ${name.padEnd(10)} ${String(value).padStart(8)}${remark === '' ? '' : `   ${remark}`}`;
}

function list(counts: Record<string, number>): string {
  return Object.entries(counts)
    .map(([name, value]) => `${name} ${value}`)
    .join(', ');
}

function latencies(name: string, of: Latencies): string {
  if (of.count === 0) return `  ${name.padEnd(10)} none`;
  const values = [
    ['p50', of.p50],
    ['p90', of.p90],
    ['p99', of.p99],
    ['p99.9', of.p99_9],
    ['max', of.max],
  ] as const;
  const text = values.map(([label, ms]) => `${label} ${ms.toFixed(2)}`).join('   ');
  return `  ${name.padEnd(10)} ${text}   ms, n = ${of.count}`;
}

function serverTable(result: LoadResult): string[] {
  const rows = Object.entries(result.policies).flatMap(([policy, counts]) => {
    const servers = Object.entries(counts.servers);
    if (servers.length === 0) return [[policy, '(nobody answered)', '0', '', '']];
    return servers.map(([id, { answers, share }]) => [
      policy,
      id,
      String(answers),
      percent(share),
      percent(result.servers[id]?.share ?? 0),
    ]);
  });
  const table = [['policy', 'server', 'answers', 'of its policy', "server's share of all"], ...rows];
  const widths =
    table[0]?.map((_, column) => Math.max(...table.map((row) => row[column]?.length ?? 0))) ?? [];
  return table.map((row) => `  ${row.map((cell, i) => cell.padEnd(widths[i] ?? 0)).join('  ')}`.trimEnd());
}

function verdict(result: LoadResult, allowErrors: boolean): string {
  const found = verdictOf(result, allowErrors);
  switch (found) {
    case 'clean':
      return result.errorReplies > 0
        ? 'Nothing was lost or wrong; error replies are allowed.'
        : 'Every request that was sent and waited for was answered right.';
    case 'faults':
      return result.lost + result.wrong + result.strayAnswers > 0
        ? 'Requests were lost or answered wrongly.'
        : 'Requests were answered with errors (--allow-errors if that is expected).';
    case 'unknown':
      return 'The generator dropped more than 0.1 % itself, so this run proves nothing: lower the rate, or free the machine.';
    default:
      return found satisfies never;
  }
}

function percent(share: number): string {
  return `${(share * 100).toFixed(1)} %`;
}

function decimal(value: number): string {
  return String(Math.round(value * 10) / 10);
}
