import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { CpuProfile, ProfileNode } from '../kit/cpu-profile.ts';
import { formatScale, microsInProxy } from './scale.ts';

function node(id: number, url: string, children: number[] = []): ProfileNode {
  const callFrame = { functionName: `f${id}`, scriptId: '1', url, lineNumber: 0, columnNumber: 0 };
  return { id, callFrame, children };
}

test("the proxy's time is its own functions' and that of what they call of Node's", () => {
  const profile: CpuProfile = {
    nodes: [
      node(1, '', [2, 6]),
      node(2, 'file:///p/scripts/simulate/socket.ts', [3, 5]),
      node(3, 'file:///p/services/proxy/forwarder.ts', [4]),
      node(4, '', [7]),
      node(5, 'node:buffer'),
      node(6, ''),
      node(7, 'file:///p/scripts/simulate/network.ts'),
    ],
    startTime: 0,
    endTime: 63,
    // Each is on top until the next moment: 1, 2, 4, 8, 16 and 32 µs.
    samples: [2, 3, 4, 5, 6, 7],
    timeDeltas: [0, 1, 2, 4, 8, 16],
  };
  assert.equal(microsInProxy(profile), 2 + 4);
});

test('each cost is shown against that with the fewest servers', () => {
  const row = { servers: 10, policies: 1, requests: 1000, perRequestMicros: 4, perProbeMicros: 8 };
  const many = { servers: 10_000, policies: 1000, requests: 1000, perRequestMicros: 6, perProbeMicros: 8 };
  const lines = formatScale([row, many]).split('\n');
  assert.match(lines[1] ?? '', /^ +10 +1 +1,000 +4\.0 µs \(× 1\.00\) +8\.0 µs \(× 1\.00\)$/);
  assert.match(lines[2] ?? '', /^ +10,000 +1,000 +1,000 +6\.0 µs \(× 1\.50\) +8\.0 µs \(× 1\.00\)$/);
});
