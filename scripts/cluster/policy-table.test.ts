import assert from 'node:assert/strict';
import { test } from 'node:test';
import { stripVTControlCharacters } from 'node:util';
import type { PolicySnapshot, ServerRow } from '../kit/policies.ts';
import { countInRotation } from '../kit/policies.ts';
import { renderPolicyTable } from './policy-table.ts';

const AT = '2026-01-02T03:04:05.000Z';

function server(changes: Partial<ServerRow> = {}): ServerRow {
  return {
    id: 'a1',
    policy: '1',
    address: '172.18.0.3:9000',
    state: 'ready',
    since: '2026-01-02T03:04:00.500Z',
    why: 'probe passed',
    drained: null,
    lastProbe: { at: AT, outcome: 'pass', roundTripMs: 1.234, detail: '' },
    sent: 11,
    served: 10,
    failed: 0,
    inFlight: 1,
    session: true,
    keepAlive: true,
    ...changes,
  };
}

const SNAPSHOT: PolicySnapshot = {
  at: AT,
  policies: [
    {
      policy: '1',
      nextId: 'b22',
      servers: [
        server(),
        server({
          id: 'b22',
          state: 'evicted',
          since: '2026-01-02T01:00:00Z',
          lastProbe: { at: AT, outcome: 'refused', roundTripMs: 0.2, detail: '' },
          failed: 3,
          why: 'refused twice',
        }),
      ],
    },
    { policy: '2', nextId: null, servers: [] },
  ],
};

test('policy table: aligned, ages in one unit, the next server marked, the policy named once', () => {
  assert.equal(
    renderPolicyTable(SNAPSHOT, false),
    [
      'policy  server         address          state    since    probe  served  failed  in flight  why',
      '1         a1           172.18.0.3:9000  ready    4.5 s   1.2 ms      10       0          1  probe passed',
      '        › b22          172.18.0.3:9000  evicted    2 h  refused      10       3          1  refused twice',
      '2         (no server)',
      '',
    ].join('\n'),
  );
});

test('policy table: the names of the containers, where some are', () => {
  const names = new Map([['b22', 'server-p1-2']]);
  assert.equal(
    renderPolicyTable(SNAPSHOT, false, names).replaceAll(/ {2}172.*| address .*/g, ''),
    [
      'policy  server         container   ',
      '1         a1                      ',
      '        › b22          server-p1-2',
      '2         (no server)',
      '',
    ].join('\n'),
  );
  const others = new Map([['c3', 'server-p9-1']]);
  assert.equal(renderPolicyTable(SNAPSHOT, false, others), renderPolicyTable(SNAPSHOT, false));
});

test('policy table: colour changes nothing but escape sequences', () => {
  const coloured = renderPolicyTable(SNAPSHOT, true);
  assert.notEqual(coloured, renderPolicyTable(SNAPSHOT, false));
  const plain = stripVTControlCharacters(coloured).replaceAll(/ +$/gm, '');
  assert.equal(plain, renderPolicyTable(SNAPSHOT, false));
});

test('policy table: what a server calls itself cannot move the cursor', () => {
  const policies = [
    {
      policy: 'p\u001b]0;t\u0007\u202e',
      nextId: 'x\u001b[2Jy',
      servers: [
        server({
          id: 'x\u001b[2Jy',
          policy: 'p\u001b]0;t\u0007\u202e',
          why: 'a\nb\u0007',
          state: '\u009b1m',
        }),
      ],
    },
    { policy: 'e\u001b[2J\u2066', nextId: null, servers: [] },
  ];
  const text = renderPolicyTable({ at: AT, policies }, false);
  assert.ok(!/[\p{Cc}\p{Bidi_Control}]/u.test(text.replaceAll('\n', '')), JSON.stringify(text));
  assert.ok(text.includes(String.raw`› x\u001b[2Jy `), text);
  assert.ok(text.includes(String.raw`p\u001b]0;t\u0007\u202e `), text);
  assert.ok(text.includes(String.raw`e\u001b[2J\u2066 `), text);
  assert.ok(text.includes(String.raw`a\nb\u0007`), text);
  assert.equal(text.split('\n').length, 4);
});

test('policy table: says so when it is empty', () => {
  assert.equal(renderPolicyTable({ at: AT, policies: [] }, true), 'No server has registered yet.\n');
});

for (const [since, shown] of [
  ['2026-01-02T03:04:05.100Z', '0.0 s'],
  ['2026-01-02T03:03:05Z', '1 min'],
  ['2026-01-02T02:04:05Z', '1 h'],
  ['2025-12-30T03:04:05Z', '3 d'],
] as const) {
  test(`policy table: since ${since} is ${shown}`, () => {
    const policies = [{ policy: '1', nextId: 'a1', servers: [server({ since })] }];
    assert.match(renderPolicyTable({ at: AT, policies }, false), new RegExp(`ready +${shown} `));
  });
}

test('policy table: those that get requests are in rotation, also one whose first request since is still to come', () => {
  const states = ['joining', 'ready', 'suspect', 'trial', 'evicted', 'ejected', 'leaving'] as const;
  const policies = [{ policy: '1', nextId: 'a1', servers: states.map((state) => server({ state })) }];
  assert.equal(countInRotation({ at: AT, policies }), 2);
});

test('several workers are said below the table, one is not worth a line', () => {
  const drawn = (workers: number) => renderPolicyTable({ ...SNAPSHOT, workers }, false);
  assert.equal(drawn(1), renderPolicyTable(SNAPSHOT, false));
  assert.equal(drawn(2), `${drawn(1)}2 workers serve requests, with this one table.\n`);
});
