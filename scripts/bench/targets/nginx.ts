// nginx's stream module with the same routing by the packet's policy, which njs reads (nginx-policy.js).
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { byPolicy, type ServerAddress, startPeer, type Target, versionOf } from './target.ts';

const MODULES = '/usr/lib/nginx/modules';
const NJS_PACKAGE = 'libnginx-mod-stream-js';
const POLICY_SCRIPT = join(import.meta.dirname, 'nginx-policy.js');

export const nginx: Target = {
  name: 'nginx',
  description: "nginx's stream module with njs",
  routesEveryRequest: false,
  packages: ['nginx', 'libnginx-mod-stream', NJS_PACKAGE],
  version: async () => {
    const version = await versionOf('nginx', ['-v']);
    if (version === null || !existsSync(join(MODULES, 'ngx_stream_js_module.so'))) return null;
    return `${version} with njs ${(await versionOf('dpkg-query', ['--show', NJS_PACKAGE])) ?? 'unknown'}`;
  },
  start: async (context) => {
    const { port, folder } = context;
    const configuration = configure(port, folder, await context.startServers(context.size));
    // The log file that is compiled in may not be writable, and is opened before the configuration is read.
    const args = (file: string) => ['-e', 'stderr', '-p', folder, '-c', file];
    return await startPeer({ name: 'nginx', program: 'nginx', configuration, args }, context);
  },
};

// What a directive means stands in nginx's documentation under its module (nginx.org/en/docs).
function configure(port: number, folder: string, servers: readonly ServerAddress[]): string {
  const upstreams = byPolicy(servers).map(([policy, own]) => {
    const lines = own.map((server) => `        server ${server.host}:${server.port};`);
    return [`    upstream policy-${policy} {`, ...lines, '    }'].join('\n');
  });
  return `load_module "${MODULES}/ngx_stream_module.so";
load_module "${MODULES}/ngx_stream_js_module.so";

# Core functionality: one worker per processor is what it advises to begin with.
worker_processes auto;
worker_rlimit_nofile 8192;
# Its own user could not be changed to in a user namespace; it listens on loopback only.
user root root;
daemon off;
pid "${folder}/nginx.pid";
error_log stderr crit;

events {
    # Both ends of every connection count.
    worker_connections 4096;
}

stream {
    js_import policy from "${POLICY_SCRIPT}";
    js_var $policy;

    preread_timeout 2s;
    proxy_connect_timeout 1s;
    proxy_timeout 10s;

${upstreams.join('\n\n')}

    server {
        # ngx_stream_core_module, listen: a socket for each worker, so that the kernel spreads connections over them.
        listen 127.0.0.1:${port} reuseport backlog=4096;
        js_preread policy.route;
        proxy_pass $policy;
    }
}
`;
}
