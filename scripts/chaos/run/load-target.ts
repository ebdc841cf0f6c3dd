// shell · where the load goes. Docker's forwarder of published ports accepts for a proxy that has just died, and resets:
// what it breaks would be counted against the proxy. So the load goes to the container itself wherever it can be reached.
import { connect } from 'node:net';
import type { ChaosCluster } from '../docker.ts';

const PROXY = 'proxy-1';
/** As in docker-compose.yml. */
const PORT_IN_CONTAINER = 10_000;
const CONNECT_MS = 500;

/**
 * host:port of the well-known port: in the proxy's container, or else as it is published on this machine.
 * @param published the port there
 */
export async function loadTarget(cluster: ChaosCluster, published: number): Promise<string> {
  const { address } = await cluster.find(PROXY);
  const isReachable = address !== null && (await answers(address, PORT_IN_CONTAINER));
  return isReachable ? `${address}:${PORT_IN_CONTAINER}` : `127.0.0.1:${published}`;
}

function answers(host: string, port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect({ host, port, timeout: CONNECT_MS });
    const settle = (isThere: boolean): void => {
      socket.destroy();
      resolve(isThere);
    };
    socket.on('connect', () => settle(true));
    socket.on('timeout', () => settle(false));
    socket.on('error', () => settle(false));
  });
}
