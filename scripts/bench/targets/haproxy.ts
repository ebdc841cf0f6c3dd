// HAProxy in TCP mode with the same routing by the packet's policy, on a thread per processor or on one thread.
import { availableParallelism } from 'node:os';
import {
  byPolicy,
  checkIntervalMs,
  type ServerAddress,
  startPeer,
  type Target,
  versionOf,
} from './target.ts';

export const haproxy = haproxyTarget('haproxy', 'HAProxy in TCP mode, on a thread per processor');
export const haproxyOneThread = haproxyTarget('haproxy-1', 'HAProxy in TCP mode, on one thread', 1);

function haproxyTarget(name: string, description: string, threads = availableParallelism()): Target {
  return {
    name,
    description,
    routesEveryRequest: false,
    packages: ['haproxy'],
    version: () => versionOf('haproxy', ['-v']),
    start: async (context) => {
      const configuration = configure(context.port, threads, await context.startServers(context.size));
      const args = (file: string) => ['-db', '-f', file];
      return await startPeer({ name, program: 'haproxy', configuration, args }, context);
    },
  };
}

// Sections in the comments are those of HAProxy's configuration manual (docs.haproxy.org).
function configure(port: number, threads: number, servers: readonly ServerAddress[]): string {
  const interval = checkIntervalMs(servers.length);
  const backends = byPolicy(servers).map(([policy, own]) => {
    const lines = own.map(
      (server, at) => `    server s${at + 1} ${server.host}:${server.port} check inter ${interval}ms`,
    );
    return [`backend policy-${policy}`, '    balance roundrobin', ...lines].join('\n');
  });
  return `global
    # 3.1: one thread per processor is the default; the same on one thread is measured beside it.
    nbthread ${threads}
    # 3.2: enough for the clients of every run, and the connections behind them.
    maxconn 4096

defaults
    mode tcp
    timeout connect 1s
    timeout client 10s
    timeout server 10s
    # 4.2: saves a packet for each connection to a server. Worth it where the client speaks first, as it does here.
    option tcp-smart-connect

frontend packets
    bind 127.0.0.1:${port}
    # 4.2: saves a packet for each connection of a client. Not for the defaults section, the manual says.
    option tcp-smart-accept
    # 4.2 and 7.3: wait for the packet, take the policy out of it, then choose.
    tcp-request inspect-delay 2s
    tcp-request content set-var(sess.policy) req.payload(0,0),json_query('$.privPoliId') if { req.len gt 0 }
    tcp-request content accept if { var(sess.policy) -m found }
    use_backend policy-%[var(sess.policy)]

${backends.join('\n\n')}
`;
}
