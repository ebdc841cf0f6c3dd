// No proxy: the load goes to one server, which answers requests of every policy.
import type { Target } from './target.ts';

export const direct: Target = {
  name: 'direct',
  description: 'no proxy: one server answers everything',
  routesEveryRequest: true,
  start: async ({ startServers }) => {
    const [server] = await startServers({ servers: 1, policies: 1 });
    return { port: server?.port ?? 0, pid: null, stop: async () => {} };
  },
};
