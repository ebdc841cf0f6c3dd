// What an operator asks of one server, or orders: by the status listener of the proxy.
import { causeInWords } from '../../services/proxy/page/browser/model/cause.ts';
import type { Fault, ServerDetail } from '../../services/proxy/page/browser/model/contract.ts';
import {
  type Phrase,
  reasonOf,
  shownSinceMs,
  shownState,
} from '../../services/proxy/page/browser/model/rows.ts';
import { printable } from '../../services/shared/printable.ts';
import { Failure } from '../kit/failure.ts';
import { askHttp } from '../kit/http.ts';
import type { PolicySnapshot, ServerRow } from '../kit/policies.ts';

const ANSWER_TIMEOUT_MS = 2_000;
const HTTP_OK = 200;

export const ACTS = ['drain', 'resume', 'forget', 'probe'] as const;
export type Act = (typeof ACTS)[number];

/** Who orders, and what for. */
type Asked = { by: string; reason: string };
/** Servers are named by all that they can be known by. */
export type Order =
  | (Asked & { act: Act; policy: string; id?: string })
  | (Asked & { act: 'log-level'; level: string });

/** That a fault begins or ends. */
export type FaultReport = Pick<Fault, 'id' | 'kind' | 'target' | 'detail'> & { phase: 'begin' | 'end' };

type Sent = { body: object; token: Buffer };

/**
 * The server that is meant: by its id, its address, or its container's name with or without the project's.
 * @param names container names by id
 * @throws Failure when there is none, or more than one
 */
export function findServer(
  { policies }: PolicySnapshot,
  names: ReadonlyMap<string, string>,
  wanted: string,
): ServerRow {
  const isMeant = ({ id, address }: ServerRow): boolean => {
    const name = names.get(String(id)) ?? '';
    return [String(id), address, name].includes(wanted) || (name !== '' && name.endsWith(`-${wanted}`));
  };
  const found = policies.flatMap(({ servers }) => servers.filter(isMeant));
  const [server] = found;
  if (server !== undefined && found.length === 1) return server;
  const what =
    server === undefined
      ? 'No server'
      : `More than one server (${found.map(({ address }) => address).join(', ')})`;
  throw new Failure(
    `${what} of the table is "${wanted}".`,
    'Give an id, an address or a container name: "npm run status" lists them.',
  );
}

/** What happened to a server and what will, in sentences. */
export async function explain(
  adminUrl: string,
  { policy, id }: ServerRow,
  names: ReadonlyMap<string, string>,
): Promise<string> {
  const path = `/api/servers/${encodeURIComponent(policy)}/${encodeURIComponent(String(id))}`;
  const { row, transitions, probes } = (await ask(adminUrl, path)) as ServerDetail;
  const failed = probes.filter(({ outcome }) => outcome !== 'pass').length;
  const last = probes.at(-1);
  const name = nameOf(id, names);
  const { why, next } = reasonOf(row);
  const since = timeOf(shownSinceMs(row));
  const lines = [
    `${name.replace(/^server /, 'Server ')} of policy ${policy} is ${shownState(row)} since ${since}.`,
    `${why}. ${next.map(inWords).join('')}.`,
    row.ordered === 'drained' ? `"npm run status -- resume ${name.replace('server ', '')}" ends that.` : null,
    `Of its last ${probes.length} probes ${failed} failed${last === undefined ? '' : `; the last, at ${timeOf(last.atMs)}: ${last.outcome}${last.detail === '' ? '' : ` (${last.detail})`}`}.`,
    '',
    ...transitions.flatMap((event) => [
      `${timeOf(event.atMs)}  ${event.type}: ${event.why}`,
      `              ${causeInWords(event)}`,
    ]),
  ];
  return `${lines
    .filter((line) => line !== null)
    .map(printable)
    .join('\n')}\n`;
}

/** Orders it. @returns what was done, a line each */
export async function give(adminUrl: string, order: Order, token: Buffer): Promise<string[]> {
  const { done } = (await ask(adminUrl, '/api/acts', { body: order, token })) as { done: string[] };
  return done.map(printable);
}

/** Lets the live page know of a fault; rejects when the proxy does not take it within two seconds. */
export async function reportFault(adminUrl: string, report: FaultReport, token: Buffer): Promise<void> {
  await ask(adminUrl, '/api/faults', { body: report, token });
}

/** `server-p1-1` where its container is known, else `server 7`. */
export function nameOf(id: ServerRow['id'], names: ReadonlyMap<string, string>): string {
  return names.get(String(id))?.replace(/^.*?-(?=server-)/, '') ?? `server ${id}`;
}

// The page counts down to a moment; here it is named.
function inWords(phrase: Phrase): string {
  return phrase.kind === 'until'
    ? `${phrase.lead.replace(/in $/, 'at ')}${timeOf(phrase.atMs)}`
    : phrase.text;
}

function timeOf(ms: number): string {
  return new Date(ms).toISOString().slice(11, 23);
}

async function ask(adminUrl: string, path: string, sent: Sent | null = null): Promise<unknown> {
  const authorization = sent && `Bearer ${sent.token.toString('latin1')}`;
  const { status, answer } = await askHttp(
    new URL(path, adminUrl),
    {
      method: sent === null ? 'GET' : 'POST',
      headers: { ...(authorization && { authorization }) },
      signal: AbortSignal.timeout(ANSWER_TIMEOUT_MS),
    },
    sent?.body,
  ).catch((cause: Error) => {
    throw new Failure(
      `The proxy's status listener at ${adminUrl} does not answer: ${cause.message}.`,
      'Is the cluster up? "npm start" starts it.',
      { cause },
    );
  });
  const document = JSON.parse(answer) as { error?: string };
  if (status === HTTP_OK) return document;
  throw new Failure(
    `The proxy refuses: ${printable(document.error ?? `status ${status}`)}`,
    'Nothing was changed.',
  );
}
