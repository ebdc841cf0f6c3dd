// pure · a made-up recording of a tour, for tests and for looking at the report. Nothing in it was measured.
// Must never draw on chance: the same arguments give the same recording.

import type {
  FaultRecord,
  Hit,
  Judgement,
  PhaseName,
  ProxyEvent,
  Recording,
} from '../../scripts/chaos/journal.ts';
import type { FaultKind } from '../../scripts/chaos/plan.ts';
import type { EventType } from '../../services/proxy/status/events.ts';
import { sampleId, sampleRequests } from './sample-requests.ts';

const PHASES: readonly [PhaseName, number][] = [
  ['warm-up', 5],
  ['control', 20],
  ['faults', 75],
  ['quiet', 8],
  ['after', 12],
];
const POLICIES = ['1', '2', '3'];

type Step = [kind: FaultKind, target: string, atS: number, forS: number, outMs: number, backMs: number];
// What is done to whom, when, for how long, and how the proxy took it; 0: it did not notice.
const STEPS: readonly Step[] = [
  ['kill', 'server-p1-1', 26, 6, 17, 310],
  ['restart', 'server-p2-2', 31, 0.45, 22, 290],
  ['kill', 'server-p3-1', 36, 5, 24, 350],
  ['pause', 'server-p1-2', 43, 7, 2130, 1480],
  ['pause', 'server-p3-2', 46, 4, 1780, 2010],
  ['flap', 'server-p2-1', 53, 8, 0, 0],
  ['partition', 'server-p1-1', 63, 6, 2410, 1720],
  ['lie', 'server-p3-1', 71, 5, 640, 900],
  ['slow', 'server-p2-2', 78, 5, 0, 0],
  ['proxy-stop', 'proxy-1', 86, 1.2, 0, 0],
  ['partition', 'server-p2-1', 92, 5, 1890, 2230],
];

/** A two-minute tour with a request about every `1000 / rate` ms. */
export function sampleRecording(rate = 500): Recording {
  const faults = STEPS.map(sampleFault);
  const replicas = POLICIES.flatMap((policy) => [1, 2].map((index) => `server-p${policy}-${index}`));
  const phases = samplePhases();
  const endedMs = phases.at(-1)?.toMs ?? 0;
  const servers = replicas.map((name) => ({ id: sampleId(name), policy: name[8] ?? '', state: 'ready' }));
  const table = { servers: servers.map((each) => ({ ...each, sent: 0, served: 0, failed: 0 })) };
  return {
    plan: samplePlan(rate),
    startedAt: '2026-11-24T14:05:09.120Z',
    endedMs,
    phases,
    faults,
    events: sampleEvents(faults, replicas),
    tables: [
      { atMs: 0, boot: 0, ...table },
      { atMs: endedMs, boot: 1, ...table },
    ],
    machine: [],
    listens: [0],
    requests: sampleRequests(rate, endedMs, faults),
    names: Object.fromEntries([...replicas, 'proxy-1'].map((name) => [sampleId(name), name])),
    leftovers: [],
    cutShort: null,
    startLagP99Ms: 0.31,
    strayAnswers: 0,
  };
}

function samplePlan(rate: number): Recording['plan'] {
  const [warmUpMs, controlMs, faultsMs, quietMs, afterMs] = PHASES.map(([, length]) => length * 1000);
  return {
    version: 1,
    scenario: 'tour',
    seed: 42,
    rate,
    policies: POLICIES,
    services: { 'server-p1': '1', 'server-p2': '2', 'server-p3': '3' },
    serversPerPolicy: 2,
    retryForMs: 3000,
    settings: { FAULTS: '1' },
    phases: {
      warmUpMs: warmUpMs ?? 0,
      controlMs: controlMs ?? 0,
      faultsMs: faultsMs ?? 0,
      quietMs: quietMs ?? 0,
      afterMs: afterMs ?? 0,
    },
    faults: STEPS.map(([kind, target, atS, forS], index) => ({
      id: index + 1,
      kind,
      targets: [target],
      atMs: atS * 1000,
      forMs: forS * 1000,
      params: {},
    })),
  };
}

function samplePhases(): Recording['phases'] {
  let atMs = 0;
  return PHASES.map(([name, length]) => {
    const fromMs = atMs;
    atMs += length * 1000;
    return { name, fromMs, toMs: atMs };
  });
}

function sampleFault([kind, target, atS, forS]: Step, index: number): FaultRecord {
  const injectMs = atS * 1000;
  const healMs = injectMs + forS * 1000;
  const isProxy = target.startsWith('proxy');
  const hit = (fromMs: number, toMs: number): Hit => ({
    target,
    serverId: isProxy ? null : sampleId(target),
    policy: isProxy ? null : (target[8] ?? null),
    fromMs,
    struckMs: fromMs + 14,
    healMs: toMs,
    healedMs: toMs + 30,
  });
  const hits =
    kind === 'flap'
      ? Array.from({ length: forS }, (_, second) =>
          hit(injectMs + second * 1000, injectMs + second * 1000 + 200),
        )
      : [hit(injectMs, healMs)];
  return {
    id: index + 1,
    kind,
    targets: [target],
    params: kind === 'slow' ? { delayMs: 200 } : kind === 'lie' ? { probability: 0.05 } : {},
    injectMs,
    injectedMs: injectMs + 40,
    healMs,
    healedMs: healMs + 30,
    hits,
    isProven: true,
    proof:
      kind === 'pause'
        ? 'State.Paused was true 12 ms after the call'
        : `${kind} was seen in the inspection of ${target}`,
    conntrack: 1180 + index * 13,
  };
}

function sampleEvents(faults: readonly FaultRecord[], replicas: readonly string[]): ProxyEvent[] {
  const events: Omit<ProxyEvent, 'seq'>[] = [];
  const add = (atMs: number, type: EventType, replica: string, why: string, boot: number) =>
    events.push({
      atMs,
      boot,
      type,
      policy: replica[8] ?? '',
      id: sampleId(replica),
      address: '10.0.0.9:7000',
      why,
      sent: 100,
    });
  STEPS.forEach(([kind, target, atS, , outMs, backMs], index) => {
    const fault = faults[index];
    const boot = atS > 86 ? 1 : 0;
    if (kind === 'proxy-stop') {
      replicas.forEach((replica, place) => {
        add(atS * 1000 + 1420 + place * 35, 'registered', replica, 'it registered', 1);
        add(atS * 1000 + 1460 + place * 35, 'admitted', replica, 'its first probe passed', 1);
      });
    }
    if (outMs === 0 || fault === undefined) return;
    add(fault.injectMs + outMs, 'suspect', target, 'its session ended', boot);
    add(
      fault.injectMs + outMs + 180,
      kind === 'lie' ? 'ejected' : 'evicted',
      target,
      'the probe got no answer',
      boot,
    );
    if (kind === 'kill' || kind === 'restart')
      add((fault.healedMs ?? 0) + backMs - 60, 'registered', target, 'it registered', boot);
    add((fault.healedMs ?? 0) + backMs, 'admitted', target, 'two probes passed', boot);
  });
  events.sort((a, b) => a.boot - b.boot || a.atMs - b.atMs);
  return events.map((event, index) => ({ ...event, seq: index + 1 }));
}

/** A judgement to look at: one that failed, one that nobody could tell, and some that held. */
export function sampleJudgement(): Judgement {
  const pass = (criterion: string, measured: string, limit: string, n: number, details: string[] = []) =>
    ({ criterion, verdict: 'pass', measured, limit, n, details }) as const;
  return {
    verdict: 'fail',
    findings: [
      pass('no request wrong', '0 wrong', '0 wrong', 60_000),
      pass('misrouted', '0 requests sent to a server after its eviction', '0', 9),
      {
        criterion: 'no request lost',
        verdict: 'fail',
        measured: '3 lost',
        limit: '0 lost',
        n: 60_000,
        details: [
          '86.210 s: policy 1, lost reset after 12.1 ms',
          '86.214 s: policy 3, lost reset after 8.7 ms',
          '86.231 s: policy 2, lost reset after 5.2 ms',
        ],
      },
      {
        criterion: 'detection of kill',
        verdict: 'unknown',
        measured:
          'p95 24 ms, max 24 ms, n = 2 (so p95 is the maximum; a bound on p95 needs 59 trials); 0 missed',
        limit: 'p95 ≤ 100 ms, max ≤ 1750 ms, none missed',
        n: 2,
        details: ['36.000 s: kill of server-p3-1: suspect after 24 ms (its session ended)'],
      },
      pass('detection of pause, partition', 'max 2410 ms, n = 4; 0 missed', 'max ≤ 2750 ms, none missed', 4, [
        '63.000 s: partition of server-p1-1: suspect after 2410 ms (the probe got no answer)',
      ]),
      pass('readmission after pause, partition', 'max 2230 ms, n = 4; 0 not back', 'max ≤ 2750 ms', 4),
      pass('others untouched', 'p99 4.1 ms, 1.1 × control', 'p99 ≤ 1.5 × control, no error', 31_204),
      pass(
        'back in rotation',
        '6 of 6 servers ready, max − min = 1, 0 leftovers',
        'all servers ready and nobody else, max − min ≤ 1 for each policy, nothing left over',
        6,
      ),
    ],
  };
}
