// pure · bugs that are planted in the proxy's code for the simulator to find: a watch that misses one is no watch.
// Must never be taken for planted when the text to change is not there exactly once.
import type { Only } from './causes.ts';

/** `file` is below services/. */
export type PlantedBug = {
  name: string;
  file: string;
  from: string;
  to: string;
  /** The cause that shows it: every world has it, and no other. */
  only?: Only;
};

export const PLANTED_BUGS: readonly PlantedBug[] = [
  {
    name: 'an eviction does not reset the turn',
    file: 'proxy/round-robin.ts',
    from: '    this.remove(member);\n    this.#nextIndex = 0;\n',
    to: '    this.remove(member);\n',
  },
  {
    name: 'the turn does not move on',
    file: 'proxy/round-robin.ts',
    from: '        this.#nextIndex = at;\n',
    to: '        this.#nextIndex = members.indexOf(member);\n',
  },
  {
    name: 'an id at a new address keeps its old entry',
    file: 'proxy/registry.ts',
    from: '    const hasMoved = byId !== undefined && byId !== byAddress;\n    if (byId !== undefined)\n',
    to: '    const hasMoved = false;\n    if (byId !== undefined && byId === byAddress)\n',
  },
  {
    name: 'a retry may meet the same server',
    file: 'proxy/forwarder.ts',
    from: '    request.tried = request.tried === null ? [failed] : [...request.tried, failed];\n',
    to: '',
  },
  {
    name: "a late answer is taken for the next request's",
    file: 'proxy/upstream-connection.ts',
    from: '    const request = this.#queue[this.#head];\n    if (request === undefined) return null;\n',
    to: '    while (this.#queue[this.#head]?.isDone === true) this.#head += 1;\n    const request = this.#queue[this.#head];\n    if (request === undefined) return null;\n',
  },
  {
    name: 'a passed probe does not reset the streak',
    file: 'proxy/health.ts',
    from: '  const passed = { ...health, failures: 0, passes: health.passes + 1 };\n',
    to: '  const passed = { ...health, passes: health.passes + 1 };\n',
  },
  {
    name: 'the end of a session is ignored',
    file: 'proxy/sessions.ts',
    from: "    this.#observer.onLeaseLost(upstream, 'its session ended');\n",
    to: '',
  },
  {
    name: 'heartbeats are never checked',
    file: 'proxy/sessions.ts',
    from: '      if (connection.lastHeardMs >= silentBeforeMs) {\n',
    to: '      if (connection.lastHeardMs >= silentBeforeMs - 1e9) {\n',
  },
  {
    name: 'the queue has no bound',
    file: 'proxy/waiting-room.ts',
    from: 'route.waiting.length >= this.#limits.maxWaiting',
    to: 'route.waiting.length >= this.#limits.maxWaiting * 1e9',
  },
  {
    name: 'deadlines are not swept',
    file: 'proxy/forwarder.ts',
    from: 'while (this.#deadlines.hasExpired(nowMs)) ',
    to: 'while (this.#deadlines.hasExpired(nowMs - 1e9)) ',
  },
  {
    name: 'silent attempts are not given up',
    file: 'proxy/pool.ts',
    from: "      if (isSilent || connection.isAbandoned) connection.fail('silent');\n",
    to: "      if (isSilent && connection.isAbandoned) connection.fail('silent');\n",
  },
  {
    name: 'a probe does not ask who answers',
    file: 'proxy/prober.ts',
    from: 'answersAs !== before;',
    to: 'answersAs === "nobody at all";',
  },
  {
    name: 'probes go on after the stop',
    file: 'proxy/core.ts',
    from: '    checker.stop();\n',
    to: '',
  },
];

/**
 * The code with the bug in it.
 * @throws Error when the code has changed, so that the bug can't be planted any more
 */
export function plant(source: string, { name, file, from, to }: PlantedBug): string {
  if (source.split(from).length !== 2)
    throw new Error(`"${name}" can't be planted: ${file} does not hold exactly once: ${from}`);
  return source.replace(from, () => to);
}
