// shell · how full the kernel's table of tracked connections is. Only looks.
// Must never change a setting of the machine.
import { readFileSync } from 'node:fs';

const FOLDER = '/proc/sys/net/netfilter';

/**
 * From 0 to 1; 0 where nothing is tracked. Docker's rules make Linux track loopback too, a connection that was closed in
 * good order for two minutes more; when the table is full, new connections fail.
 */
export function trackedShare(): number {
  try {
    const read = (name: string): number => Number(readFileSync(`${FOLDER}/${name}`, 'utf8'));
    const share = read('nf_conntrack_count') / read('nf_conntrack_max');
    return Number.isFinite(share) ? share : 0;
  } catch {
    return 0;
  }
}
