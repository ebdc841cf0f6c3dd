// One sentence that says how things stand: the worst first.
import type { ClusterState, Hello, Policy, Server } from './contract.ts';
import { drainedBy, inRotation, isGood, isInRotation, shownSinceMs, shownState } from './rows.ts';
import { count, duration, nameOf, policyTitle } from './words.ts';

export type Verdict = {
  level: 'good' | 'warn' | 'bad' | 'none';
  /** Also the tab's title. */
  sentence: string;
  detail: string;
};

/** @param nowMs on the proxy's clock */
export function verdictOf({ policies, proxy }: ClusterState, hello: Hello, nowMs: number): Verdict {
  const servers = policies.flatMap((policy) => policy.servers);
  if (servers.length === 0) return noServers(hello);
  const dead = policies.filter((policy) => inRotation(policy) === 0);
  if (dead.length > 0) return deadPolicies(dead, policies, nowMs);
  const out = servers.filter((server) => !isGood(server));
  if (out.length > 0) {
    const are = out.length === 1 ? 'is' : 'are';
    const keep = policies.length === 1 ? 'Its policy still answers' : 'Every policy still answers';
    return {
      level: 'warn',
      sentence: `${out.length} of ${count(servers.length, 'server')} ${are} not ready. ${keep}`,
      detail: `Latest: ${lastOut(out, nowMs)}`,
    };
  }
  const standing = servers.filter((server) => shownState(server) === 'standby').length;
  const serving = servers.length - standing;
  const others = standing === 0 ? '' : `, ${standing} more ${standing === 1 ? 'stands' : 'stand'} by`;
  const ready = `${count(serving, 'server')} ${serving === 1 ? 'is' : 'are'} ready${others}`;
  if (proxy.requestsPerS === 0 && servers.every(({ served, failed }) => served + failed === 0)) {
    return {
      level: 'good',
      sentence: `${ready}. No request yet`,
      detail: 'Send one with the form beside the picture.',
    };
  }
  return {
    level: 'good',
    sentence: servers.length === 1 ? 'The one server is ready' : `All ${ready}`,
    detail: `${count(policies.length, 'policy', 'policies')}, each answers.`,
  };
}

function noServers({ wellKnownPort, thresholds }: Hello): Verdict {
  const hold = thresholds.holdMs ?? 500;
  return {
    level: 'none',
    sentence: 'No server has registered yet',
    detail: `The proxy listens on port ${wellKnownPort}. Until a server is ready, requests get NO_SERVER after ${hold / 1000} s.`,
  };
}

function deadPolicies(dead: readonly Policy[], policies: readonly Policy[], nowMs: number): Verdict {
  const others = policies.filter((policy) => !dead.includes(policy)).flatMap(({ servers }) => servers);
  const out = others.filter((server) => !isGood(server)).length;
  const elsewhere =
    others.length === 0
      ? ''
      : ` Elsewhere ${out === 0 ? 'all' : out} of ${others.length} servers ${out === 0 ? 'are ready' : 'are not ready'}.`;
  const [first] = dead;
  if (dead.length > 1 || first === undefined) {
    const names = dead.slice(0, 4).map(({ policy }) => policy);
    const more = dead.length > 4 ? ` and ${dead.length - 4} more` : '';
    return {
      level: 'bad',
      sentence: `${dead.length} policies have no server: their requests fail`,
      detail: `Policies ${names.join(', ')}${more}.${elsewhere}`,
    };
  }
  const { servers, waiting, policy } = first;
  const last = servers.length === 0 ? 'None is registered' : lastOut(servers, nowMs).replace(/\.$/, '');
  const wait = waiting === 0 ? '' : `; ${count(waiting, 'request waits', 'requests wait')}`;
  return {
    level: 'bad',
    sentence: `${policyTitle(policy)} has no server: its requests fail`,
    detail: `${servers.length > 1 ? `All ${servers.length} are out, the last: ` : ''}${last}${wait}.${elsewhere}`,
  };
}

function lastOut(servers: readonly Server[], nowMs: number): string {
  const latest = servers.filter((server) => !isInRotation(server) || server.state === 'trial');
  const [server] = latest.toSorted((a, b) => shownSinceMs(b) - shownSinceMs(a));
  if (server === undefined) return '';
  const shown = shownState(server);
  const ago = `${duration(nowMs - shownSinceMs(server))} ago`;
  return shown === 'drained'
    ? `${nameOf(server)} drained ${ago} ${drainedBy(server)}.`
    : `${nameOf(server)} ${shown}, ${ago}, ${server.why}.`;
}
