// pure · the result of a run → text for a person. A count of 0 is shown too: that nothing was lost is the news.
import { addressOf } from '../../services/shared/printable.ts';
import { percent, seconds, textTable } from '../kit/words.ts';
import { type Latencies, type LoadResult, verdictOf } from './result.ts';

/** Several lines, the verdict last; no trailing line end. */
export function formatReport(result: LoadResult, allowErrors: boolean): string {
  const { options, strayAnswers, errorReplies, faultsDue } = result;
  const hasSeveral = Object.keys(result.proxies).length > 1;
  const lines = [
    headline(result),
    '',
    count('sent', result.sent, `${decimal(result.achievedRate)}/s of ${decimal(options.rate)}/s`),
    (options.retryForMs > 0 || hasSeveral) &&
      count('retried', result.retried, `${result.attempts} attempts in all`),
    count('answered', result.answered),
    count('wrong', result.wrong, result.wrong > 0 ? 'digest is not that of the payload' : ''),
    count('errors', errorReplies, list(result.errors)),
    count('lost', result.lost, list(result.lostBy)),
    count('dropped', result.dropped, list(result.droppedBy) || 'by the generator itself'),
    strayAnswers > 0 && count('stray', strayAnswers, 'answers that no request was waiting for'),
    hasSeveral && count('moved', result.moved, 'connections, from a proxy that failed or leaves to another'),
    hasSeveral && `  to each proxy: ${list(result.proxies)}`,
    faultsDue !== null &&
      `  Those not answered right were due from ${seconds(faultsDue.firstMs)} s to ${seconds(faultsDue.lastMs)} s after the start.`,
    '',
    latencies('latency', result.latencyMs),
    errorReplies > 0 && latencies('of errors', result.errorLatencyMs),
    latencies('own delay', result.startLagMs),
    '',
    ...serverTable(result),
    '',
    verdict(result, allowErrors),
  ];
  return lines.filter((line) => line !== false).join('\n');
}

function headline({ options, due, planned, elapsedMs, wasInterrupted }: LoadResult): string {
  const { payloadBytes, proxies, connection, connections, tls } = options;
  const kept = connection === 'keep' ? `${connections} connections kept` : 'one connection each';
  const ended = wasInterrupted ? `, ended early: ${due} of ${planned} were due` : '';
  const names = proxies.map(({ host, port }) => addressOf(host, port)).join(', ');
  const to = `${names}${tls ? ' over TLS' : ''}`;
  return `${due} requests of ${payloadBytes} bytes in ${decimal(elapsedMs / 1000)} s to ${to}, ${kept}${ended}`;
}

function count(name: string, value: number, remark = ''): string {
  return `  ${name.padEnd(10)} ${String(value).padStart(8)}${remark && `   ${remark}`}`;
}

function list(counts: Record<string, number>): string {
  return Object.entries(counts)
    .map(([name, value]) => `${name} ${value}`)
    .join(', ');
}

function latencies(name: string, of: Latencies): string {
  if (of.count === 0) return `  ${name.padEnd(10)} none`;
  const values = { p50: of.p50, p90: of.p90, p99: of.p99, 'p99.9': of.p99_9, max: of.max };
  const texts = Object.entries(values).map(([label, ms]) => `${label} ${ms.toFixed(2)}`);
  return `  ${name.padEnd(10)} ${texts.join('   ')}   ms, n = ${of.count}`;
}

function serverTable(result: LoadResult): string[] {
  const rows = Object.entries(result.policies).flatMap(([policy, { servers }]) => {
    const answers = Object.entries(servers).map(([id, { answers, share }]) => {
      const ofAll = result.servers[id]?.share ?? 0;
      return [policy, id, String(answers), percent(share), percent(ofAll)];
    });
    return answers.length > 0 ? answers : [[policy, '(no answer)', '0', '', '']];
  });
  const header = ['policy', 'server', 'answers', 'of its policy', "server's share of all"];
  return textTable([header, ...rows], 'l', '  ');
}

function verdict(result: LoadResult, allowErrors: boolean): string {
  const { errorReplies, lost, wrong, strayAnswers, answered, options } = result;
  switch (verdictOf(result, allowErrors)) {
    case 'clean':
      return errorReplies > 0
        ? 'Nothing was lost or wrong; error replies are allowed.'
        : 'Every request that was sent and waited for was answered right.';
    case 'faults': {
      const hint = answered === 0 && !options.tls ? ' If the proxy takes TLS only, add --tls.' : '';
      return lost + wrong + strayAnswers > 0
        ? `Requests were lost or answered wrongly.${hint}`
        : 'Requests were answered with errors (--allow-errors if that is expected).';
    }
    case 'unknown':
      return 'The generator dropped more than 0.1 % itself, so this run proves nothing: lower the rate, or free the machine.';
  }
}

function decimal(value: number): string {
  return String(Math.round(value * 10) / 10);
}
