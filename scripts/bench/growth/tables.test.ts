import assert from 'node:assert/strict';
import { test } from 'node:test';
import { notesOn, notesOnClients } from './notes.ts';
import { type CaseResult, type CostResult, DEFAULT_GROWTH, type GrowthResult } from './result.ts';
import { formatGrowth } from './tables.ts';

const spread = (median: number) => ({ median, min: median * 0.9, max: median * 1.1, count: 5 });
const cost = (changes: Partial<CostResult> = {}): CostResult => ({
  sixServersUs: spread(20),
  costUs: spread(30),
  netCostUs: spread(21),
  ratio: spread(1.5),
  netRatio: spread(1.05),
  requestsPerSecond: spread(31_234),
  sixServersRequestsPerSecond: spread(40_000),
  serversCpuShare: spread(0.5),
  generatorCpuShare: spread(0.25),
  runsWithoutAnswer: 0,
  failed: 0,
  sixServersFailed: 0,
  ...changes,
});
const row = (changes: Partial<CaseResult> = {}): CaseResult => ({
  servers: 1000,
  policies: 3,
  healthIntervalMs: 1000,
  arrangement: 'in turn',
  openFiles: 20_000,
  sessions: 1000,
  proxyArguments: [],
  registeredSeconds: 0.5,
  readySeconds: 0.75,
  residentBytes: 100 * 1024 * 1024,
  readyServers: 1000,
  departures: 0,
  trackedShare: 0.1,
  idle: {
    cpuShare: spread(0.2),
    withoutProbesCpuShare: 0.04,
    probesPerSecond: spread(1000),
    cpuUsPerProbe: spread(160),
    serversCpuShare: spread(0.1),
  },
  costs: { keep: cost(), oneshot: cost({ netRatio: spread(1.3) }) },
  notes: [],
  ...changes,
});
const result = (changes: Partial<GrowthResult>): GrowthResult => {
  return { options: DEFAULT_GROWTH, servers: [], policies: [], clients: [], ...changes };
};

test('a row says what a request costs, against the goal, and what a probe costs', () => {
  const text = formatGrowth(result({ servers: [row()] }));
  assert.match(
    text,
    /1,000 +3 +1 s +keep +20\.0 +30\.0 .* 21\.0 +1\.05 \(0\.95–1\.16\) +within 10 % +31,234/,
  );
  assert.match(text, /oneshot .* over by 30\.0 %/);
  assert.match(text, /20\.0 % +4\.00 % +1,000 +160 \(144–176\)/);
});

test('a row that is missing says why, and notes stand under the table', () => {
  const skipped = {
    servers: 10_000,
    policies: 3,
    healthIntervalMs: 1000,
    skipped: 'the limit is 4096',
    hasFailed: false,
  };
  const text = formatGrowth(result({ servers: [row({ notes: ['this happened'] }), skipped] }));
  assert.match(text, /1,000 servers, 3 policies: this happened\./);
  assert.match(text, /10,000 servers, 3 policies: left out: the limit is 4096/);
});

test('nothing that was not measured has a table', () => assert.equal(formatGrowth(result({})), ''));

test('clients are compared with the fewest', () => {
  const clients = [
    { clients: 10, connected: 10, residentBytes: spread(1024 ** 2 * 70), bytesPerClient: null, notes: [] },
    {
      clients: 1000,
      connected: 1000,
      residentBytes: spread(1024 ** 2 * 74),
      bytesPerClient: spread(4096),
      notes: [],
    },
  ];
  assert.match(formatGrowth(result({ clients })), /1,000 +1,000 +74\.0 .* 4\.00 \(3\.60–4\.40\)/);
});

test('an undisturbed row has no notes', () => assert.deepEqual(notesOn(row({ trackedShare: 1 })), []));

const disturbed: [string, Partial<CaseResult>, RegExp][] = [
  ['fewer sessions', { sessions: 700 }, /^700 of 1000 servers kept a session/],
  [
    'too few probes',
    { idle: { ...row().idle, probesPerSecond: spread(600) } },
    /^600 probes .* 1000 that were due/,
  ],
  ['departures', { departures: 3 }, /^3 times a server left the rotation/],
  ['lost servers', { readyServers: 990 }, /990 of 1000/],
  ['a full table', { trackedShare: 0.95, departures: 1 }, /95 % full/],
  ['a baseline of its own', { arrangement: 'around' }, /ran alone/],
  [
    'a dead run',
    { costs: { keep: cost({ runsWithoutAnswer: 2 }), oneshot: cost() } },
    /^keep: in 2 runs not one/,
  ],
  ['failed requests', { costs: { keep: cost({ failed: 4 }), oneshot: cost() } }, /^keep: 4 requests/],
  [
    'a busy generator',
    { costs: { keep: cost({ generatorCpuShare: spread(0.97) }), oneshot: cost() } },
    /bottleneck/,
  ],
];
for (const [what, changes, expected] of disturbed) {
  test(`noted: ${what}`, () => {
    const notes = notesOn(row(changes));
    assert.ok(
      notes.some((note) => expected.test(note)),
      notes.join(),
    );
  });
}

test('clients that were cut off, and memory that never rests, are noted', () => {
  assert.deepEqual(notesOnClients({ clients: 10, connected: 10 }, true), []);
  assert.equal(notesOnClients({ clients: 10, connected: 9 }, false).length, 2);
});
