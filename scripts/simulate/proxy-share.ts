// pure · how much of a CPU profile is the proxy's: its own functions, and what they call of Node's.
// Must never count what the simulated world does, nor the garbage collector, which sweeps for both.
import { type CpuProfile, type ProfileNode, selfTimes } from '../kit/cpu-profile.ts';

/** Microseconds that the proxy's code was on top of the stack, or Node's own code on its behalf. */
export function microsInProxy(profile: CpuProfile): number {
  const times = selfTimes(profile);
  const byId = new Map(profile.nodes.map((node) => [node.id, node]));
  let micros = 0;
  const visit = (node: ProfileNode, isCallerProxy: boolean): void => {
    const { url } = node.callFrame;
    const isProxy = url.includes('/services/') || (isCallerProxy && !url.includes('/scripts/'));
    if (isProxy) micros += times.get(node.id) ?? 0;
    for (const id of node.children ?? []) visit(byId.get(id) as ProfileNode, isProxy);
  };
  const root = profile.nodes[0];
  if (root !== undefined) visit(root, false);
  return micros;
}
