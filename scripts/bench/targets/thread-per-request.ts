// The original's design, in Python: a thread and an upstream connection for each request.
import { join } from 'node:path';
import { startProcess } from '../../kit/process.ts';
import { type Target, versionOf } from './target.ts';

const SCRIPT = join(import.meta.dirname, 'thread_per_request.py');

export const threadPerRequest: Target = {
  name: 'thread-per-request',
  description: 'a thread and an upstream connection per request, in Python; only in one cell',
  routesEveryRequest: false,
  // One cell says what there is to say about it.
  suits: ({ mode, payloadBytes, connections }) =>
    mode === 'oneshot' && payloadBytes === 64 && connections === 64,
  packages: ['python3'],
  version: () => versionOf('python3', ['--version']),
  start: async ({ size, port, startServers, signal }) => {
    const servers = await startServers(size);
    const table = servers.map((server) => `${server.policy}:${server.host}:${server.port}`);
    const options = { readyLine: /^ready$/, signal };
    const { pid, stop } = await startProcess('python3', [SCRIPT, String(port), ...table], options);
    return { port, pid, stop };
  },
};
