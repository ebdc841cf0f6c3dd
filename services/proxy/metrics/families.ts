// Every metric of the proxy: its name, what it means, and how it is read from what is counted anyway.
import { ERROR_CODES } from '../../shared/error-codes.ts';
import type { Route } from '../routing/policy-table.ts';
import { RETRY_REASONS } from '../routing/request.ts';
import type { SnapshotSources } from '../status/snapshot.ts';
import type { ControlCounts } from './control.ts';
import { BUCKET_BOUNDS_MS, type Histogram } from './histogram.ts';
import { labelOf, policyLabel } from './label.ts';
import { type CountedRequest, OTHER, type PolicyTraffic, type Traffic } from './traffic.ts';

export type MetricSources = SnapshotSources & {
  traffic: Pick<Traffic<CountedRequest>, 'policies'>;
  events: { readonly transitions: Readonly<Record<string, number>> };
  control: ControlCounts;
  /** Lines of the access log that nobody was there to take. */
  accessLogDropped: () => number;
  /** What the threads beside this one use: memory of their objects, and time in which they did not wait. */
  otherThreads?: () => { heapBytes: number; activeMs: number };
  /** Monotonic ms. */
  now: () => number;
  version: string;
};

/** One line of a scrape. `suffix`: a histogram has several lines for each set of labels. */
export type Sample = { value: number; labels?: Readonly<Record<string, string>>; suffix?: string };

/** All lines of one name. Units are those of Prometheus: seconds, bytes, ratios from 0 to 1. */
export type Family = {
  name: string;
  type: 'counter' | 'gauge' | 'histogram';
  labels: readonly string[];
  help: string;
  read: (sources: MetricSources) => Sample[] | Promise<Sample[]>;
};

const MS_PER_S = 1000;
// `forgotten` is no state of what is in the table.
const STATES = ['joining', 'ready', 'standby', 'suspect', 'evicted', 'ejected', 'trial', 'leaving'] as const;

export const PROXY_FAMILIES: readonly Family[] = [
  {
    name: 'policyproxy_requests_total',
    type: 'counter',
    labels: ['policy', 'outcome'],
    help: 'Requests that have ended: answered, refused with this error code, or abandoned by their client before a server could take them.',
    read: ({ traffic }) =>
      [...traffic.policies].flatMap(({ policy, request, unanswered }) =>
        Object.entries({ answered: request.read().count, ...unanswered }).map(([outcome, value]) => {
          return { value, labels: { policy: policyLabel(policy), outcome } };
        }),
      ),
  },
  {
    name: 'policyproxy_request_duration_seconds',
    type: 'histogram',
    labels: ['policy'],
    help: 'From when a request had been read until its answer was there; answered requests only.',
    read: (sources) => histograms(sources, ({ request }) => request),
  },
  {
    name: 'policyproxy_upstream_duration_seconds',
    type: 'histogram',
    labels: ['policy'],
    help: 'From when a request was handed to a server until that answered, late answers included.',
    read: (sources) => histograms(sources, ({ upstream }) => upstream),
  },
  {
    name: 'policyproxy_queue_duration_seconds',
    type: 'histogram',
    labels: ['policy'],
    help: 'From when a request had been read until it was first handed to a server, or until its end.',
    read: (sources) => histograms(sources, ({ queue }) => queue),
  },
  {
    name: 'policyproxy_queue_depth',
    type: 'gauge',
    labels: ['policy'],
    help: 'Requests that wait since no server can take them yet.',
    read: ({ table, traffic }) => {
      const depths = new Map([...traffic.policies].map(({ policy }) => [policy, 0]));
      for (const route of table.routes) {
        const policy = route.traffic?.policy ?? OTHER;
        depths.set(policy, (depths.get(policy) ?? 0) + route.waitingCount);
      }
      return perPolicy(depths);
    },
  },
  {
    name: 'policyproxy_requests_in_flight',
    type: 'gauge',
    labels: [],
    help: 'Requests without a reply yet, those that wait included.',
    read: ({ openRequests }) => [{ value: openRequests() }],
  },
  {
    name: 'policyproxy_connections',
    type: 'gauge',
    labels: [],
    help: 'Open connections to the well-known port, of clients and of servers.',
    read: ({ connections }) => [{ value: connections() }],
  },
  {
    name: 'policyproxy_refusals_total',
    type: 'counter',
    labels: ['code'],
    help: 'Refusals that answer no request, by their error code: of bytes, packets, registrations and connections.',
    read: ({ counters: { refusals } }) =>
      Object.keys(ERROR_CODES).map((code) => ({ value: refusals[code] ?? 0, labels: { code } })),
  },
  {
    name: 'policyproxy_refused_connections_total',
    type: 'counter',
    labels: [],
    help: 'Connections that were refused because all places, or those of their source, are taken.',
    read: ({ listenerCounters }) => [{ value: listenerCounters.refusedConnections }],
  },
  {
    name: 'policyproxy_retries_total',
    type: 'counter',
    labels: ['reason'],
    help: 'Requests that were sent once more, by what had become of the attempt before.',
    read: ({ counters: { retryReasons } }) =>
      RETRY_REASONS.map((reason) => ({ value: retryReasons[reason] ?? 0, labels: { reason } })),
  },
  {
    name: 'policyproxy_retry_budget_ratio',
    type: 'gauge',
    labels: ['policy'],
    help: 'What is left of the retry budget: 1 when nothing of it is used, 0 when all is.',
    read: ({ table, now }) => {
      const nowMs = now();
      const left = new Map<string, number>();
      for (const [policy, route] of servedRoutes(table.routes))
        left.set(policy, Math.min(left.get(policy) ?? 1, route.budgetLeft(nowMs)));
      return perPolicy(left);
    },
  },
  {
    name: 'policyproxy_late_answers_total',
    type: 'counter',
    labels: [],
    help: 'Answers to requests that had their reply already; they reach no client.',
    read: ({ counters }) => [{ value: counters.lateAnswers }],
  },
  {
    name: 'policyproxy_access_log_dropped_total',
    type: 'counter',
    labels: [],
    help: 'Lines of the access log that were dropped since its reader was too slow.',
    read: ({ accessLogDropped }) => [{ value: accessLogDropped() }],
  },
  {
    name: 'policyproxy_local_failures_total',
    type: 'counter',
    labels: ['kind'],
    help: "Failures of the proxy's own machine, out of descriptors, ports or memory: to accept a client, to connect to a server, to probe one.",
    read: ({ counters, listenerCounters, control }) => [
      { value: listenerCounters.acceptFailures, labels: { kind: 'accept' } },
      { value: counters.localFailures, labels: { kind: 'connect' } },
      { value: control.probes.get('local')?.read().count ?? 0, labels: { kind: 'probe' } },
    ],
  },
  {
    name: 'policyproxy_server_state',
    type: 'gauge',
    labels: ['policy', 'server', 'state'],
    help: '1 for the state that a server of the table is in, 0 for the others.',
    read: ({ table }) =>
      [...table.upstreams].flatMap(({ policy, id, health }) =>
        STATES.map((state) => {
          const labels = { policy: policyLabel(policy), server: labelOf(String(id)), state };
          return { value: health.state === state ? 1 : 0, labels };
        }),
      ),
  },
  {
    name: 'policyproxy_servers_in_rotation',
    type: 'gauge',
    labels: ['policy'],
    help: 'Servers that get requests: ready or on trial, and not drained.',
    read: ({ table, traffic }) => {
      const served = [...traffic.policies].filter(({ policy }) => policy !== OTHER);
      const counts = new Map(served.map(({ policy }) => [policy, 0]));
      for (const [policy, { rotation }] of servedRoutes(table.routes))
        counts.set(policy, (counts.get(policy) ?? 0) + rotation.members.length);
      return perPolicy(counts);
    },
  },
  {
    name: 'policyproxy_server_transitions_total',
    type: 'counter',
    labels: ['cause'],
    help: 'Changes of the states of servers, by the cause that their events have.',
    read: ({ events }) =>
      Object.entries(events.transitions).map(([cause, value]) => ({ value, labels: { cause } })),
  },
  {
    name: 'policyproxy_probe_duration_seconds',
    type: 'histogram',
    labels: ['result'],
    help: 'How long health probes took, by what they came to.',
    read: ({ control }) =>
      [...control.probes].flatMap(([result, histogram]) => linesOf(histogram, { result })),
  },
  {
    name: 'policyproxy_detection_duration_seconds',
    type: 'histogram',
    labels: [],
    help: 'From the last answer or passed probe of a server until it was suspected or evicted: it failed at some time in between.',
    read: ({ control }) => linesOf(control.detection, {}),
  },
  {
    name: 'policyproxy_registrations_total',
    type: 'counter',
    labels: ['result'],
    help: 'Setup packets of servers: registered, refreshed (the same server again), challenged for a proof, or refused.',
    read: ({ control }) =>
      Object.entries(control.registrations).map(([result, value]) => ({ value, labels: { result } })),
  },
  {
    name: 'policyproxy_event_loop_delay_seconds',
    type: 'histogram',
    labels: [],
    help: 'By how much a timer of 20 ms came too late: what else the event loop was busy with.',
    read: ({ control }) => linesOf(control.loopDelay, {}),
  },
  {
    name: 'policyproxy_build_info',
    type: 'gauge',
    labels: ['version', 'node'],
    help: 'Always 1: which version of policy-proxy runs, on which Node.',
    read: ({ version }) => [{ value: 1, labels: { version, node: process.versions.node } }],
  },
];

// The routes of policies that a server was registered for, with the label that each counts under.
function* servedRoutes(routes: Iterable<Route>): Iterable<[policy: string, route: Route]> {
  for (const route of routes) if (route.traffic !== null) yield [route.traffic.policy, route];
}

function perPolicy(values: ReadonlyMap<string, number>): Sample[] {
  return [...values].map(([policy, value]) => ({ value, labels: { policy: policyLabel(policy) } }));
}

function histograms({ traffic }: MetricSources, which: (policy: PolicyTraffic) => Histogram): Sample[] {
  return [...traffic.policies].flatMap((each) => linesOf(which(each), { policy: policyLabel(each.policy) }));
}

function linesOf(histogram: Histogram, labels: Record<string, string>): Sample[] {
  const { cumulative, count, sumMs } = histogram.read();
  const buckets = BUCKET_BOUNDS_MS.map((boundMs, at): Sample => {
    const le = String(boundMs / MS_PER_S);
    return { suffix: '_bucket', value: cumulative[at] as number, labels: { ...labels, le } };
  });
  return [
    ...buckets,
    { suffix: '_bucket', value: count, labels: { ...labels, le: '+Inf' } },
    { suffix: '_sum', value: sumMs / MS_PER_S, labels },
    { suffix: '_count', value: count, labels },
  ];
}
