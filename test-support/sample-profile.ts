// pure · for tests: a small profile as V8 writes it, of ten moments that last 100 µs each.
// Must never be used outside tests.
import type { CallFrame, CpuProfile } from '../scripts/kit/cpu-profile.ts';

/** The project's folder in the profile. */
export const SAMPLE_ROOT = 'file:///home/some%20body/project/';

const frame = (functionName: string, url = '', lineNumber = -1): CallFrame => {
  return { functionName, scriptId: '0', url, lineNumber, columnNumber: lineNumber === -1 ? -1 : 2 };
};
const own = (functionName: string, file: string, lineNumber: number): CallFrame =>
  frame(functionName, `${SAMPLE_ROOT}${file}`, lineNumber);

/** From 1,000 to 2,000: #onData is called on two paths, and parsePacket calls itself. */
export const SAMPLE: CpuProfile = {
  nodes: [
    { id: 1, callFrame: frame('(root)'), hitCount: 0, children: [2, 3, 4, 5, 10] },
    { id: 2, callFrame: frame('(program)') },
    { id: 3, callFrame: frame('(idle)') },
    { id: 4, callFrame: frame('onStreamRead', 'node:internal/stream_base_commons', 165), children: [6] },
    { id: 5, callFrame: frame('(garbage collector)') },
    { id: 6, callFrame: own('#onData', 'services/proxy/client.ts', 131), children: [7, 9] },
    { id: 7, callFrame: own('parsePacket', 'services/shared/packet.ts', 74), children: [8, 12] },
    { id: 8, callFrame: frame('parse') },
    { id: 9, callFrame: own('', 'node_modules/winston/log.js', 4) },
    { id: 10, callFrame: frame('processImmediate', 'node:internal/timers', 440), children: [11, 13] },
    { id: 11, callFrame: own('#onData', 'services/proxy/client.ts', 131) },
    { id: 12, callFrame: own('parsePacket', 'services/shared/packet.ts', 74) },
    // The same function on the same path, as V8 has it after it was compiled anew.
    { id: 13, callFrame: own('#onData', 'services/proxy/client.ts', 131) },
  ],
  startTime: 1000,
  endTime: 2000,
  samples: [2, 8, 6, 7, 12, 3, 3, 5, 9, 13],
  timeDeltas: [0, 100, 100, 100, 100, 100, 100, 100, 100, 100],
};
