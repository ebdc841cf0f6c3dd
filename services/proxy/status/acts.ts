// What an operator can order, and who may: the holder of the registration token.
import { timingSafeEqual } from 'node:crypto';
import { printable } from '../../shared/printable.ts';
import { isInRotation } from '../health/health.ts';
import type { Registry } from '../registration/registry.ts';
import type { PolicyTable } from '../routing/policy-table.ts';
import type { Upstream } from '../servers/upstream.ts';

const ACTS = ['drain', 'resume', 'forget', 'probe'] as const;
const MAX_BY_LENGTH = 60;
const MAX_REASON_LENGTH = 200;

type Act = (typeof ACTS)[number];
export type ActSources = {
  table: PolicyTable;
  registry: Pick<Registry, Act | 'cancelDrain'>;
  /** null where the proxy has no token: then nothing can be ordered. */
  token: Buffer | null;
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
 * Does what is ordered, with one server or with all of a policy.
 * @param order as it came: nothing in it is taken for granted
 */
export function act(order: unknown, authorization: string | undefined, sources: ActSources): ActReply {
  const { table, registry, token } = sources;
  const denied = denial(authorization, token);
  if (denied !== null) return denied;
  const { act: wanted, policy, id, by, reason } = (order ?? {}) as Record<string, unknown>;
  const name = ACTS.find((each) => each === wanted);
  if (name === undefined) return refusal(400, `"act" is one of ${ACTS.join(', ')}.`);
  if (typeof by !== 'string' || by.trim() === '')
    return refusal(400, '"by" says who orders it: give a name.');
  const route = table.route(String(policy));
  const isWanted = (upstream: Upstream): boolean => id === undefined || String(upstream.id) === String(id);
  const upstreams = route?.upstreams.filter(isWanted) ?? [];
  if (upstreams.length === 0 && name === 'resume' && registry.cancelDrain(String(policy), String(id)))
    return { status: 200, body: { done: [`resume server ${String(id)} of policy ${String(policy)}`] } };
  if (upstreams.length === 0) return refusal(404, 'There is no such server in the table.');
  const serving = upstreams.find(
    ({ health, drainOrder }) => isInRotation(health.state) && drainOrder === null,
  );
  if (name === 'forget' && serving !== undefined)
    return refusal(
      409,
      `Server ${printable(String(serving.id))} serves: drain it first, only what is out can be forgotten.`,
    );
  const why = typeof reason === 'string' ? reason : '';
  const asked = {
    by: printable(by.trim()).slice(0, MAX_BY_LENGTH),
    reason: printable(why).slice(0, MAX_REASON_LENGTH),
  };
  for (const upstream of upstreams) registry[name](upstream, asked);
  return {
    status: 200,
    body: { done: upstreams.map((each) => `${name} server ${String(each.id)} of policy ${each.policy}`) },
  };
}

export function refusal(status: number, error: string): ActReply {
  return { status, body: { error } };
}
