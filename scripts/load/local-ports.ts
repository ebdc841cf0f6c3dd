// shell · a warning when a run will use up this machine's local ports.
import { readProc } from '../kit/process-cost.ts';
import type { LoadOptions } from './options.ts';

const PORT_RANGE_FILE = '/proc/sys/net/ipv4/ip_local_port_range';
// How long a closed connection keeps its port (Linux's TIME_WAIT).
const TIME_WAIT_SECONDS = 60;

/**
 * What to tell a person before a run with a connection per request; null when there are ports enough.
 * Linux gives out every other port first; once those are used up, each connect searches all of them, and where Docker's
 * forwarder stands between, that alone makes requests late and lost.
 * @param portRange first and last local port, as in `ip_local_port_range`; null where that is not known
 */
export function portWarning(
  { connection, rate, durationSeconds }: LoadOptions,
  portRange = readPortRange(),
): string | null {
  if (connection === 'keep' || portRange === null) return null;
  const used = rate * Math.min(durationSeconds, TIME_WAIT_SECONDS);
  const easyPorts = Math.floor((portRange[1] - portRange[0] + 1) / 2);
  if (used <= easyPorts) return null;
  return (
    `Note: ${Math.round(used)} connections within a minute are more than the ${easyPorts} local ports that are quickly had: ` +
    "expect delays that are not the proxy's. Use --connection keep, or a lower --rate."
  );
}

function readPortRange(): readonly [number, number] | null {
  const [first, last] = readProc(PORT_RANGE_FILE).trim().split(/\s+/).map(Number);
  return first === undefined || last === undefined ? null : [first, last];
}
