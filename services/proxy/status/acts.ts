// What an operator can order, and who may: the holder of the registration token.
import { timingSafeEqual } from 'node:crypto';
import { LOG_LEVELS, type LogLevel } from '../../shared/log.ts';
import { printable } from '../../shared/printable.ts';
import { isInRotation } from '../health/health.ts';
import type { Registry } from '../registration/registry.ts';
import type { PolicyTable } from '../routing/policy-table.ts';
import type { Upstream } from '../servers/upstream.ts';
import type { Order } from './events.ts';

const ACTS = ['drain', 'resume', 'forget', 'probe'] as const;
const DONE: Readonly<Record<Act, string>> = {
  drain: 'drained',
  resume: 'resumed',
  forget: 'forgot',
  probe: 'probing',
};
/** Of the proxy itself, not of servers. */
const LOG_LEVEL_ACT = 'log-level';
const MAX_BY_LENGTH = 60;
const MAX_REASON_LENGTH = 200;

type Act = (typeof ACTS)[number];
export type ActSources = {
  table: PolicyTable;
  registry: Pick<Registry, Act | 'cancelDrain'>;
  /** null where the proxy has no token: then nothing can be ordered. */
  token: Buffer | null;
  setLogLevel(level: LogLevel, asked: Order): void;
};

/** The answer to an order: an HTTP status, and what was done or why not. */
export type ActReply = { status: number; body: { done: string[] } | { error: string } };

/** Why a request with this header may order nothing; null when it may. */
export function denial(authorization: string | undefined, token: Buffer | null): ActReply | null {
  if (token === null) {
    const sentence =
      'This needs the registration token, and this proxy has none: start it with --register-token-file.';
    return refusal(403, sentence);
  }
  const given = Buffer.from(/^Bearer (.*)$/.exec(authorization ?? '')?.[1]?.trim() ?? '', 'latin1');
  const isIt = given.length === token.length && timingSafeEqual(given, token);
  return isIt ? null : refusal(403, 'The token is not the registration token of this proxy.');
}

/**
 * Does what is ordered: with one server, with all of a policy, or with the proxy itself.
 * @param order as it came: nothing in it is taken for granted
 */
export function act(order: unknown, authorization: string | undefined, sources: ActSources): ActReply {
  const { table, registry, token } = sources;
  const denied = denial(authorization, token);
  if (denied !== null) return denied;
  const { act: wanted, policy, id, by, reason, level } = (order ?? {}) as Record<string, unknown>;
  const name = ACTS.find((each) => each === wanted);
  if (name === undefined && wanted !== LOG_LEVEL_ACT)
    return refusal(400, `"act" is one of ${[...ACTS, LOG_LEVEL_ACT].join(', ')}.`);
  if (typeof by !== 'string' || by.trim() === '')
    return refusal(400, '"by" says who orders it: give a name.');
  const why = typeof reason === 'string' ? reason : '';
  const asked = {
    by: printable(by.trim()).slice(0, MAX_BY_LENGTH),
    reason: printable(why).slice(0, MAX_REASON_LENGTH),
  };
  if (name === undefined) return changeLogLevel(level, asked, sources);
  if (!isName(policy) || !(id === undefined || isName(id)))
    return refusal(400, '"policy", and "id" where it is given, are each a text or a whole number.');
  const route = table.route(String(policy));
  const isWanted = (upstream: Upstream): boolean => id === undefined || String(upstream.id) === String(id);
  const upstreams = route?.upstreams.filter(isWanted) ?? [];
  if (upstreams.length === 0 && name === 'resume' && registry.cancelDrain(String(policy), String(id)))
    return {
      status: 200,
      body: { done: [`${DONE.resume} server ${String(id)} of policy ${String(policy)}`] },
    };
  if (upstreams.length === 0) return refusal(404, 'There is no such server in the table.');
  const serving = upstreams.find(
    ({ health, drainOrder }) => isInRotation(health.state) && drainOrder === null,
  );
  if (name === 'forget' && serving !== undefined)
    return refusal(
      409,
      `Server ${printable(String(serving.id))} serves: drain it first, only what is out can be forgotten.`,
    );
  const busy = upstreams.find(({ tally }) => tally.inFlight > 0);
  if (name === 'forget' && busy !== undefined)
    return refusal(
      409,
      `Server ${printable(String(busy.id))} has ${busy.tally.inFlight} in flight, which would be lost: try again when they are answered.`,
    );
  const done = upstreams.map((upstream) => {
    const server = `server ${String(upstream.id)} of policy ${upstream.policy}`;
    if ((name === 'drain' || name === 'resume') && (upstream.drainOrder === null) === (name === 'resume'))
      return `${server} was ${name === 'drain' ? 'drained already' : 'not drained'}`;
    registry[name](upstream, asked);
    return `${DONE[name]} ${server}`;
  });
  if (name === 'drain') done.push(whatIsLeft(String(policy), table));
  return { status: 200, body: { done } };
}

function whatIsLeft(policy: string, table: PolicyTable): string {
  const left = table.route(policy)?.rotation.members.length ?? 0;
  if (left === 0) return `policy ${policy} has no server left that gets requests: they are refused`;
  return `policy ${policy} keeps ${left} ${left === 1 ? 'server that gets' : 'servers that get'} requests`;
}

// Others may have no text at all, or take as many calls to make it as they are deep.
function isName(value: unknown): value is string | number {
  return typeof value === 'string' || Number.isInteger(value);
}

function changeLogLevel(wanted: unknown, asked: Order, { setLogLevel }: ActSources): ActReply {
  const level = LOG_LEVELS.find((each) => each === wanted);
  if (level === undefined) return refusal(400, `"level" is one of ${LOG_LEVELS.join(', ')}.`);
  setLogLevel(level, asked);
  return { status: 200, body: { done: [`the proxy logs from ${level} on`] } };
}

export function refusal(status: number, error: string): ActReply {
  return { status, body: { error } };
}
