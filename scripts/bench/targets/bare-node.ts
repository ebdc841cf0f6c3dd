// A Node process that answers by itself with the proxy's own sockets: its cost is Node's and the kernel's.
import { join } from 'node:path';
import { startProcess } from '../../kit/process.ts';
import type { Target } from './target.ts';

const SCRIPT = join(import.meta.dirname, 'bare-node-process.ts');

export const bareNode: Target = {
  name: 'bare-node',
  description: 'no proxy either: a Node process that reads, looks an answer up and writes',
  routesEveryRequest: true,
  // It takes each read for one request.
  suits: ({ mode }) => mode !== 'pipeline',
  start: async ({ port, signal }) => {
    const options = { readyLine: /^ready$/, signal };
    const { pid, stop } = await startProcess(process.execPath, [SCRIPT, String(port)], options);
    return { port, pid, stop };
  },
};
