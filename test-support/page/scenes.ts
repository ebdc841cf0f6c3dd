// Clusters for the page's tests: what a proxy would say of them.
import type { Because } from '../../services/proxy/health/cause.ts';
import type {
  ClusterEvent,
  ClusterState,
  Fault,
  Hello,
  History,
  Next,
  Policy,
  Server,
  ServerDetail,
} from '../../services/proxy/page/browser/model/contract.ts';

export type SceneName = 'cluster' | 'many' | 'empty';

const THRESHOLDS = { healthTimeoutMs: 500, holdMs: 500, retryBudget: 0.2 };

export function helloOf(boot: string, startedMs: number): Hello {
  return {
    boot,
    startedMs,
    version: '1.4.0',
    wellKnownPort: 10_000,
    host: '0.0.0.0',
    workers: 1,
    thresholds: THRESHOLDS,
  };
}

type Look = Partial<Server> & { sinceS: number };

const MINUTE = 60;
const HOUR = 3600;
const good =
  (have: number, nextS: number, forgottenS: number) =>
  (nowMs: number): Next => ({
    kind: 'good-probes',
    have,
    need: 2,
    nextProbeMs: nowMs + nextS * 1000,
    forgottenMs: nowMs + forgottenS * 1000,
  });

/** A server of the scene; its moments are relative to `nowMs`. */
function server(
  policy: number,
  number: number,
  nowMs: number,
  address: string,
  look: Look,
  next?: (nowMs: number) => Next,
): Server {
  const { sinceS, ...more } = look;
  const isIn = more.state === undefined;
  return {
    ...{
      id: `${(0x91c07be0 + policy * 4096 + number * 77).toString(16)}d${number}f8`,
      policy: String(policy),
    },
    name: `server-p${policy}-${number}`,
    address,
    state: 'ready',
    ordered: 'none',
    orderedBy: null,
    orderedReason: null,
    orderedSinceMs: null,
    ejections: 0,
    sinceMs: nowMs - sinceS * 1000,
    why: '2 probes in a row passed',
    next: next?.(nowMs) ?? {
      kind: 'would-leave',
      failed: 0,
      fall: 2,
      nextProbeMs: nowMs + ((number * 337) % 1000),
    },
    lastProbe: {
      atMs: nowMs - ((number * 337) % 1000),
      outcome: 'pass',
      roundTripMs: 0.7 + ((number * 7) % 5) / 10,
      detail: '',
    },
    bars: barsOf(policy * 31 + number),
    ...{
      requestsPerS: isIn ? 80.4 + number / 5 : 0,
      inFlight: isIn ? 1 + (number % 2) : 0,
      served: 912_480,
      failed: 0,
    },
    ...{
      p50Ms: isIn ? 1 + (number % 4) / 10 : null,
      p99Ms: isIn ? 6.1 + number * 0.7 : null,
      session: true,
      keepAlive: true,
    },
    ...more,
  };
}

function barsOf(seed: number, failedAtEnd = 0): string {
  const passed = Array.from(
    { length: 50 - failedAtEnd },
    (_, at) => 'ccdccecddc'[(at * 7 + seed * 3 + ((at * at) % 5)) % 10],
  ).join('');
  return passed + '!'.repeat(failedAtEnd);
}

const failedProbe = (nowMs: number, outcome: string, detail = '') => ({
  atMs: nowMs - 600,
  outcome,
  roundTripMs: 500,
  detail,
});

/** Fourteen servers in three policies, one in each state and some more. */
export function clusterOf(nowMs: number): Policy[] {
  const at = (host: number) => `172.18.0.${host}:9000`;
  const one = [
    server(1, 1, nowMs, at(4), { sinceS: 3 * HOUR, why: 'its first probe passed in 0.8 ms' }),
    server(1, 2, nowMs, at(5), { sinceS: 7 * MINUTE }),
    server(
      1,
      3,
      nowMs,
      at(6),
      {
        sinceS: 12,
        state: 'evicted',
        why: '3 requests, then a probe, got no answer within 500 ms',
        failed: 3,
        bars: barsOf(3, 13),
        lastProbe: failedProbe(nowMs, 'timeout', ''),
      },
      good(0, 0.4, 47),
    ),
    server(
      1,
      4,
      nowMs,
      at(7),
      {
        sinceS: 41 * MINUTE,
        bars: barsOf(4, 1),
        lastProbe: failedProbe(nowMs, 'timeout', 'no answer within 500 ms'),
      },
      (ms) => ({ kind: 'would-leave', failed: 1, fall: 2, nextProbeMs: ms + 700 }),
    ),
  ];
  const two = [
    server(2, 1, nowMs, at(8), { sinceS: 8 * MINUTE }),
    server(
      2,
      2,
      nowMs,
      at(9),
      {
        sinceS: 0.3,
        state: 'suspect',
        why: 'its session ended without a word',
        inFlight: 1,
        p50Ms: 1.2,
        p99Ms: 9.1,
      },
      (ms) => ({ kind: 'deciding-probe', byMs: ms + 200 }),
    ),
    server(
      2,
      3,
      nowMs,
      at(10),
      {
        sinceS: 2.6,
        state: 'ejected',
        why: '5 real requests in a row failed: out for 4.0 s',
        failed: 41,
        p50Ms: 1.4,
        p99Ms: 31,
        ejections: 3,
      },
      (ms) => ({ kind: 'penalty', endsMs: ms + 1400 }),
    ),
    server(
      2,
      4,
      nowMs,
      at(11),
      {
        sinceS: 0.2,
        state: 'trial',
        why: 'its penalty is over: one real request decides',
        failed: 23,
        requestsPerS: 0.5,
        inFlight: 1,
        p50Ms: 1.4,
        p99Ms: 27,
      },
      () => ({ kind: 'trial' }),
    ),
    server(2, 5, nowMs, at(12), { sinceS: 4 * MINUTE, why: 'its first probe passed in 1.0 ms' }),
  ];
  const three = [
    server(3, 1, nowMs, at(13), { sinceS: 5 * MINUTE, requestsPerS: 40.6 }),
    server(3, 2, nowMs, at(14), {
      sinceS: 6 * MINUTE,
      ordered: 'drained',
      orderedBy: 'an operator',
      orderedReason: 'kernel update',
      orderedSinceMs: nowMs - 6 * MINUTE * 1000,
      requestsPerS: 0,
      inFlight: 0,
      p50Ms: null,
      p99Ms: null,
    }),
    server(
      3,
      3,
      nowMs,
      at(15),
      { sinceS: 1.1, state: 'leaving', why: 'it said that it is leaving', inFlight: 3, p50Ms: 1, p99Ms: 5.6 },
      () => ({ kind: 'drain', open: 3 }),
    ),
    server(
      3,
      4,
      nowMs,
      at(16),
      {
        sinceS: 0.4,
        state: 'joining',
        why: 'no probe has passed yet, the last: refused',
        bars: '!',
        lastProbe: failedProbe(nowMs, 'refused'),
      },
      (ms) => ({ kind: 'first-probe', nextProbeMs: ms + 200, givenUpMs: ms + 9600 }),
    ),
    server(3, 5, nowMs, at(17), {
      sinceS: 3 * HOUR,
      requestsPerS: 40.5,
      why: 'its first probe passed in 0.7 ms',
    }),
  ];
  return [one, two, three].map((servers, index) => policyOf(index + 1, servers));
}

function policyOf(number: number, servers: Server[]): Policy {
  const ready = servers.filter(({ state, ordered }) => state === 'ready' && ordered === 'none');
  const next = ready[number % Math.max(1, ready.length)];
  return {
    policy: String(number),
    nextId: next?.id ?? null,
    waiting: 0,
    budgetRatio: 0.9,
    p50Ms: ready.length === 0 ? null : 1.2,
    p99Ms: ready.length === 0 ? null : 7.4,
    servers,
  };
}

/** 300 servers in 30 policies, of which one has none left. */
export function manyOf(nowMs: number): Policy[] {
  const sizes = Array.from({ length: 30 }, (_, at) => 6 + ((at * 7) % 9));
  let left = 300 - sizes.reduce((sum, size) => sum + size, 0);
  for (let at = 0; left !== 0; at = (at + 1) % 30) {
    const by = Math.sign(left);
    sizes[at] = (sizes[at] ?? 0) + by;
    left -= by;
  }
  return sizes.map((size, index) => {
    const number = index + 1;
    const servers = Array.from({ length: size }, (_, at) => {
      const address = `10.42.${index}.${at + 10}:9000`;
      const isDead = number === 17;
      if (isDead)
        return server(
          number,
          at + 1,
          nowMs,
          address,
          {
            sinceS: 3.1,
            state: 'evicted',
            why: 'it refused the probe',
            failed: 1,
            bars: barsOf(at, 3),
            lastProbe: failedProbe(nowMs, 'refused'),
          },
          good(0, 0.2 + at / 10, 57),
        );
      if (at === 3 && (number === 4 || number === 9))
        return server(
          number,
          at + 1,
          nowMs,
          address,
          {
            sinceS: 12,
            state: 'evicted',
            why: '2 probes in a row failed, the last: timeout',
            failed: 3,
            bars: barsOf(at, 12),
            lastProbe: failedProbe(nowMs, 'timeout'),
          },
          good(1, 0.4, 47),
        );
      if (at < 2 && number === 21)
        return server(number, at + 1, nowMs, address, {
          sinceS: 6 * MINUTE,
          ordered: 'drained',
          orderedReason: 'kernel update',
          requestsPerS: 0,
          p50Ms: null,
          p99Ms: null,
        });
      if (at === 1 && number === 14)
        return server(
          number,
          at + 1,
          nowMs,
          address,
          {
            sinceS: 2.2,
            state: 'ejected',
            why: '5 real requests in a row failed: out for 4.0 s',
            failed: 41,
          },
          (ms) => ({ kind: 'penalty', endsMs: ms + 1800 }),
        );
      return server(number, at + 1, nowMs, address, {
        sinceS: 600 + at * 60,
        requestsPerS: 8 + ((number * 13) % 37),
      });
    });
    return { ...policyOf(number, servers), waiting: number === 17 ? 14 : 0 };
  });
}

export function stateOf(policies: Policy[], atMs: number): ClusterState {
  const servers = policies.flatMap((policy) => policy.servers);
  const sum = (pick: (server: Server) => number) => servers.reduce((total, each) => total + pick(each), 0);
  const isQuiet = servers.length === 0;
  return {
    atMs,
    policies,
    proxy: {
      ...{
        requestsPerS: sum(({ requestsPerS }) => requestsPerS),
        inFlight: sum(({ inFlight }) => inFlight),
        waiting: sum(() => 0),
      },
      ...{
        p50Ms: isQuiet ? null : 1.2,
        p99Ms: isQuiet ? null : 8.9,
        connections: isQuiet ? 0 : 32,
        errorsPerS: {},
        retriesPerS: isQuiet ? 0 : 6.8,
      },
    },
  };
}

export function faultsOf(nowMs: number): Fault[] {
  const fault = (kind: string, target: string, fromS: number, forS: number | null): Fault => ({
    id: `${kind} ${fromS}`,
    kind,
    target,
    detail: 'chaos run tour',
    fromMs: nowMs - fromS * 1000,
    untilMs: forS === null ? null : nowMs - (fromS - forS) * 1000,
  });
  return [
    fault('pause', 'server-p2-1', 540, 15),
    fault('kill', 'server-p1-2', 450, 12),
    fault('partition', 'server-p3-1', 346, 13),
    fault('restart', 'server-p2-5', 268, 2),
    fault('garble', 'server-p2-3', 40, null),
    fault('slow', 'server-p1-2, server-p1-3', 31, 8),
    fault('pause', 'server-p1-3', 13.4, null),
  ];
}

export function historyOf(policies: Policy[], nowMs: number): History {
  const points = Array.from({ length: 600 }, (_, at) => at);
  const isQuiet = policies.length === 0;
  const noise = (at: number): number => ((at * 7919) % 101) / 101;
  const rateOf = ({ servers }: Policy) => servers.reduce((sum, { requestsPerS }) => sum + requestsPerS, 0);
  const faultAt = (at: number): boolean => [60, 150, 254, 588].some((from) => at >= from && at < from + 4);
  const series = (value: (at: number) => number) => points.map((at) => (isQuiet ? null : value(at)));
  const all = policies.reduce((sum, policy) => sum + rateOf(policy), 0);
  const find = (name: string) =>
    policies.flatMap(({ servers }) => servers).find((each) => each.name === name);
  const out = (name: string, fromS: number, untilS: number | null, state: string) => {
    const each = find(name);
    return each === undefined
      ? []
      : [
          {
            policy: each.policy,
            id: each.id,
            fromMs: nowMs - fromS * 1000,
            untilMs: untilS === null ? null : nowMs - untilS * 1000,
            state,
            why: each.why,
          },
        ];
  };
  return {
    stepMs: 1000,
    fromMs: nowMs - 600_000,
    rate: series((at) => all * (0.97 + 0.05 * noise(at))),
    policyRates: Object.fromEntries(
      policies.map((policy) => [policy.policy, series((at) => rateOf(policy) * (0.97 + 0.05 * noise(at)))]),
    ),
    p50Ms: series((at) => 1.1 + 0.2 * noise(at)),
    p90Ms: series((at) => 2.2 + 0.5 * noise(at * 3)),
    p99Ms: series((at) => (faultAt(at) ? 480 : 6 + 3 * noise(at * 5))),
    errors: {
      UPSTREAM_TIMEOUT: series((at) => (at >= 60 && at < 63 ? 1 : 0)),
      NO_SERVER: series((at) => (at >= 255 && at < 257 ? 2 : 0)),
      OVERLOADED: series((at) => (at === 257 ? 2 : 0)),
    },
    retries: series((at) => (faultAt(at) ? 14 : 0.4)),
    faults: [],
    outs: [
      ...out('server-p2-1', 538, 525, 'evicted'),
      ...out('server-p1-2', 448, 440, 'evicted'),
      ...out('server-p3-1', 345, 332, 'evicted'),
      ...out('server-p3-2', 360, null, 'drained'),
      ...out('server-p2-3', 34, 30, 'ejected'),
      ...out('server-p1-3', 12, null, 'evicted'),
      ...out('server-p2-3', 2.6, null, 'ejected'),
      ...out('server-p2-2', 0.3, null, 'suspect'),
      ...out('server-p3-3', 1.1, null, 'leaving'),
    ],
  };
}

export function eventsOf(policies: Policy[], nowMs: number): ClusterEvent[] {
  const servers = policies.flatMap((policy) => policy.servers);
  const out = servers.filter(({ state, ordered }) => state !== 'ready' || ordered === 'drained');
  const ready = servers.filter(({ state }) => state === 'ready').slice(0, 8);
  const events = [
    ...ready.map((each, at) => eventOf(each, 'admitted', nowMs - 500_000 + at * 20_000, each.why)),
    ...out.flatMap((each) =>
      each.state === 'evicted'
        ? [eventOf(each, 'suspect', each.sinceMs - 501, '3 requests got no answer within 500 ms')]
        : [],
    ),
    ...out.map((each) =>
      eventOf(
        each,
        each.ordered === 'drained' ? 'drained' : each.state === 'joining' ? 'registered' : each.state,
        each.sinceMs,
        each.ordered === 'drained' ? 'drained by order of an operator: kernel update' : each.why,
      ),
    ),
  ];
  return events.sort((a, b) => a.atMs - b.atMs).map((event, at) => ({ ...event, seq: at + 1 }));
}

function eventOf({ policy, id, address }: Server, type: string, atMs: number, why: string): ClusterEvent {
  const because = CAUSES_OF_TYPES[type] ?? { cause: 'registered', evidence: {} };
  return { seq: 0, atMs, type, policy, id, address, why, ...because };
}

const CAUSES_OF_TYPES: Readonly<Record<string, Omit<Because, 'why'>>> = {
  admitted: { cause: 'probe-passed', evidence: {} },
  suspect: { cause: 'request-silent', evidence: { request: 'of client 42 (31 bytes)' } },
  evicted: { cause: 'probe-timeout', evidence: { before: 'request-silent', probesInARow: 2 } },
  ejected: { cause: 'failed-in-a-row', evidence: { failedInARow: 5, ejections: 2, penaltyMs: 2000 } },
  trial: { cause: 'penalty-over', evidence: { before: 'failed-in-a-row' } },
  leaving: { cause: 'leave', evidence: {} },
  drained: { cause: 'ordered', evidence: { by: 'an operator', reason: 'kernel update' } },
};

export function detailOf(row: Server, events: readonly ClusterEvent[], nowMs: number): ServerDetail {
  const mine = events.filter(({ policy, id }) => policy === row.policy && id === row.id);
  const probes = [...row.bars].map((bar, at) => ({
    atMs: nowMs - (50 - at) * 1000,
    outcome: bar === '!' ? 'timeout' : 'pass',
    roundTripMs: bar === '!' ? 500 : 10 ** ((bar.charCodeAt(0) - 97 - 3) / 3) * (1.1 + (at % 4) / 10),
    detail: '',
  }));
  return { row, transitions: mine, probes };
}
