// pure · bugs that are planted in the proxy's code for the simulator to find: they show that its promises can be broken.
import type { Only } from '../../scripts/simulate/scenario.ts';

/** `file` is below services/. */
export type PlantedBug = {
  name: string;
  file: string;
  from: string;
  to: string;
  /** The cause that shows it: every world has it, and no other. */
  only?: Only;
  /** To find it takes long: `npm test` leaves it to planted.long.test.ts. */
  isSlow?: true;
};

export const PLANTED_BUGS: readonly PlantedBug[] = [
  {
    name: 'an eviction does not reset the turn',
    file: 'proxy/routing/rotation/round-robin.ts',
    from: '    this.remove(member);\n    this.#changed(() => 0);\n',
    to: '    this.remove(member);\n',
    isSlow: true,
  },
  {
    name: 'the turn does not move on',
    file: 'proxy/routing/rotation/round-robin.ts',
    from: 'at + 1 === this.#members.length ? 0 : at + 1);',
    to: 'at);',
    isSlow: true,
  },
  {
    name: 'an id at a new address keeps its old entry',
    file: 'proxy/registration/registry.ts',
    from: '    const hasMoved = byId !== undefined && byId !== byAddress;\n    if (byId !== undefined)\n',
    to: '    const hasMoved = false;\n    if (byId !== undefined && byId === byAddress)\n',
    isSlow: true,
  },
  {
    name: 'a retry may meet the same server',
    file: 'proxy/routing/retries.ts',
    from: '  if (!tried.includes(upstream)) tried.push(upstream);\n',
    to: '  if (tried.length > 9) tried.push(upstream);\n',
    // Where a connection fails at once, trying the same server again would never end.
    only: 'none',
    isSlow: true,
  },
  {
    name: "a late answer is taken for the next request's",
    file: 'proxy/servers/upstream-connection.ts',
    from: '      const request = this.first;\n      const answer = reader.line();\n',
    to: '      while (this.first?.isDone === true) this.#advance();\n      const request = this.first;\n      const answer = reader.line();\n',
    isSlow: true,
  },
  {
    name: 'a passed probe does not reset the streak',
    file: 'proxy/health/health.ts',
    from: '  const passed = { ...health, failures: 0, failedProbes: 0, passes: health.passes + 1 };\n',
    to: '  const passed = { ...health, passes: health.passes + 1 };\n',
    isSlow: true,
  },
  {
    name: 'the end of a session is ignored',
    file: 'proxy/registration/sessions.ts',
    from: "    this.#checker.onLeaseLost(upstream, 'its session ended');\n",
    to: '',
    isSlow: true,
  },
  {
    name: 'heartbeats are never checked',
    file: 'proxy/registration/sessions.ts',
    from: '      if (connection.lastHeardMs >= silentBeforeMs) {\n',
    to: '      if (connection.lastHeardMs >= silentBeforeMs - 1e9) {\n',
    only: 'none',
    isSlow: true,
  },
  {
    name: 'the queue has no bound',
    file: 'proxy/routing/waiting/waiting-room.ts',
    from: 'route.waiting.add(request, this.#limits.maxWaiting)',
    to: 'route.waiting.add(request, this.#limits.maxWaiting * 1e9)',
    isSlow: true,
  },
  {
    name: 'deadlines are not swept',
    file: 'proxy/routing/forwarder.ts',
    from: 'while (this.#deadlines.hasExpired(asOfMs))',
    to: 'while (this.#deadlines.hasExpired(0))',
    isSlow: true,
  },
  {
    name: 'silent attempts are not given up',
    file: 'proxy/servers/pool.ts',
    from: '    if (connection.isSilent || !this.#hasSilence(connection, nowMs)) return;\n',
    to: '    if (connection.startedMs > 0) return;\n',
    isSlow: true,
  },
  {
    name: 'a probe does not ask who answers',
    file: 'proxy/health/prober.ts',
    from: 'answersAs !== before;',
    to: 'answersAs === "nobody at all";',
    isSlow: true,
  },
  {
    name: 'probes go on after the stop',
    file: 'proxy/core/control.ts',
    from: '      checker.stop();\n',
    to: '',
    isSlow: true,
  },
  {
    name: 'a request meets as many servers as there are',
    file: 'proxy/routing/retries.ts',
    from: '    const isSpent = trouble.exposures >= maxAttempts;\n    const mayGoAgain',
    to: '    const isSpent = trouble.exposures >= maxAttempts * 9;\n    const mayGoAgain',
    only: 'poison',
  },
  {
    name: "another client's answer is handed over",
    file: 'proxy/servers/upstream-connection.ts',
    from: '(this.#checksIds && !this.#isFor(request, answer))',
    to: '(!this.#checksIds && !this.#isFor(request, answer))',
    only: 'doubler',
  },
  {
    name: 'an answer with an unknown id is handed over',
    file: 'proxy/servers/upstream-connection.ts',
    from: '(this.#checksIds && !this.#isFor(request, answer))',
    to: '(!this.#checksIds && !this.#isFor(request, answer))',
    only: 'misaddress',
  },
  {
    name: 'a local error is held against a server',
    file: 'proxy/servers/failure.ts',
    from: "  local: 'local',\n",
    to: "  local: 'server',\n",
    only: 'ports',
  },
  {
    name: 'a probe that this machine could not send fails',
    file: 'proxy/health/health.ts',
    from: "      if (signal.outcome === 'local') return afterLocalFailure(health, signal.detail ?? '');\n",
    to: "      if (signal.outcome === 'local') return afterFailure(health, 'unreachable', '', thresholds, at);\n",
    only: 'descriptors',
  },
  {
    name: 'the proxy closes first',
    file: 'proxy/servers/pool.ts',
    from: '    connection.linger(nowMs);\n    this.#lingering.add(connection);\n',
    to: '    connection.close();\n',
    only: 'time-wait',
  },
  {
    name: 'slow is dead',
    file: 'proxy/servers/pool.ts',
    from: '    const isNews = sinceMs === nowMs;\n',
    to: "    const isNews = sinceMs === nowMs;\n    connection.fail('silent');\n",
    only: 'sluggish',
  },
  {
    name: 'a slow request is dead',
    file: 'proxy/servers/pool.ts',
    from: '    const isNews = sinceMs === nowMs;\n',
    to: "    const isNews = sinceMs === nowMs;\n    connection.fail('silent');\n",
    only: 'slow-request',
  },
  {
    name: 'a server on trial gets all requests',
    file: 'proxy/servers/upstream.ts',
    from: "this.health.state === 'trial' ? tally.awaited > 0 :",
    to: "this.health.state === 'trial' ? tally.awaited > 1e9 :",
    only: 'sluggish',
  },
  {
    name: 'what hung is taken for hanging until the next sweep',
    file: 'proxy/servers/pool.ts',
    from: '    if (this.#upstream.tally.hanging > 0) this.#countBeside();\n',
    to: '',
    only: 'greedy',
    isSlow: true,
  },
  {
    name: 'a server that fails every second request is cleared at once',
    file: 'proxy/health/outlier.ts',
    from: 'excess <= 0 ? 0 :',
    to: 'excess <= 1e9 ? 0 :',
    only: 'flapper',
  },
  {
    name: 'a server is judged by what has not been read',
    file: 'proxy/core/timers.ts',
    from: '    clock.soon(() => work(asOfMs));\n',
    to: '    clock.soon(() => work(Math.max(asOfMs, clock.now())));\n',
    only: 'stall-in-turn',
    isSlow: true,
  },
  {
    name: 'a stale connection is held against its server',
    file: 'proxy/servers/failure.ts',
    from: "  stale: 'nobody',\n",
    to: "  stale: 'server',\n",
    only: 'reset-reused',
  },
  {
    name: 'what was lost with a stale connection is not sent again',
    file: 'proxy/routing/retries.ts',
    from: '    const isSpent = trouble.exposures >= maxAttempts;\n    const mayGoAgain = isStale && isSpent',
    to: '    const isSpent = isStale || trouble.exposures >= maxAttempts;\n    const mayGoAgain = isStale && !isSpent',
    only: 'reset-reused',
  },
  {
    name: 'a forgotten connection is waited for',
    file: 'proxy/servers/pool.ts',
    from: 'restedMs >= FORGOTTEN_AFTER_MS',
    to: 'restedMs >= FORGOTTEN_AFTER_MS * 1e9',
    only: 'middlebox',
    isSlow: true,
  },
  {
    name: 'what waits is moved to a connection that is silent too',
    file: 'proxy/servers/pool.ts',
    from: 'this.#noteSilence(connection, nowMs);\n    for (const connection of [...this.#connections.members]) {\n',
    to: 'if (nowMs < 0) return false;\n    for (const connection of [...this.#connections.members]) {\n      this.#noteSilence(connection, nowMs);\n',
    only: 'middlebox',
    isSlow: true,
  },
  {
    name: 'another id is evidence',
    file: 'proxy/health/prober.ts',
    from: '  if (isOther && options.isAnotherServer(answersAs)) {\n',
    to: '  if (isOther && answersAs !== null) {\n',
    only: 'workers',
  },
  {
    name: 'old servers are probed with a text',
    file: 'proxy/health/prober.ts',
    from: 'asksForSession ? HEALTH_CLIENT_ID : OLD_HEALTH_CLIENT_ID',
    to: 'asksForSession || OLD_HEALTH_CLIENT_ID === 0 ? HEALTH_CLIENT_ID : OLD_HEALTH_CLIENT_ID',
    only: 'arithmetic',
  },
  {
    name: 'a replaced server is cut off',
    file: 'proxy/registration/registry.ts',
    from: '    upstream.pool?.retire();\n',
    to: '    upstream.pool?.destroy();\n',
    only: 'twin',
    isSlow: true,
  },
  {
    name: 'a client that is only refused continues',
    file: 'proxy/clients/client-connection.ts',
    from: 'this.#refusalsInARow >= MAX_REFUSALS_IN_A_ROW &&',
    to: 'this.#refusalsInARow >= MAX_REFUSALS_IN_A_ROW * 1e9 &&',
    only: 'flooder',
  },
  {
    name: 'a full accept queue is death',
    file: 'proxy/servers/pool.ts',
    from: "this.#isCongested(connection) ? 'congested' : 'connect-timeout'",
    to: "'connect-timeout'",
    only: 'accept-queue',
  },
  {
    name: 'a burst opens a connection for each request',
    file: 'proxy/servers/pool.ts',
    from: 'new ConnectionLimit(options.oneRequestConnections)',
    to: 'new ConnectionLimit(256 + options.oneRequestConnections)',
    only: 'accept-queue',
  },
  {
    name: 'no place is kept back for servers',
    file: 'proxy/clients/listener.ts',
    from: '    if (overload !== null && !this.#hasServerPlace(socket)) {\n',
    to: '    if (overload !== null) {\n',
    only: 'squatter',
  },
  {
    name: 'the input of a client has no bound',
    file: 'proxy/clients/client-connection.ts',
    from: '    return this.#reader.untakenBytes >= MAX_HELD_BYTES || this.#heldChunks >= MAX_HELD_CHUNKS;\n',
    to: '    return this.#reader.untakenBytes < 0;\n',
    only: 'deaf',
    isSlow: true,
  },
  {
    name: 'a server keeps a session with the first address only',
    file: 'server/announce.ts',
    from: '    for (const address of addresses) {\n',
    to: '    for (const address of addresses.slice(0, 1)) {\n',
    only: 'proxies',
  },
  {
    name: 'a server looks for proxies once',
    file: 'server/announce.ts',
    from: ' : lookUpMs);\n',
    to: ' : lookUpMs * 1e6);\n',
    only: 'proxies',
  },
  {
    name: 'a full queue is first come, first served',
    file: 'proxy/routing/waiting/fair-queue.ts',
    from: 'if (this.#longest <= (line?.items.length ?? 0) + 1) return item;',
    to: 'if (this.#longest > 0) return item;',
    only: 'greedy',
  },
  {
    name: 'a connection is served to its end',
    file: 'proxy/routing/waiting/fair-queue.ts',
    from: "      if (seen === 'served') ring.push(line);\n",
    to: "      if (seen === 'served') ring.putFirst([line]);\n",
    only: 'greedy',
  },
  {
    name: 'no server steps in',
    file: 'proxy/registration/subset.ts',
    from: '(held < size ||',
    to: '(held < size - size ||',
    only: 'subset',
  },
  {
    name: 'a worker picks by a list that is no longer true',
    file: 'proxy/routing/rotation/turn.ts',
    from: '  return (epoch + 1) % EPOCHS;',
    to: '  return epoch % EPOCHS;',
    only: 'proxy-workers',
  },
  {
    name: 'servers are blamed for the end of a worker',
    file: 'proxy/workers/keeper.ts',
    from: 'for (const connection of connections.values()) sessions.release(connection);',
    to: 'for (const connection of connections.values()) sessions.onEnded(connection);',
    only: 'proxy-workers',
    isSlow: true,
  },
  {
    name: 'a worker that replaces another is told nothing',
    file: 'proxy/workers/crew.ts',
    from: 'for (const message of this.#briefing()) member.thread.post(message);',
    to: 'if (this.#starts <= this.#members.length) for (const message of this.#briefing()) member.thread.post(message);',
    only: 'proxy-workers',
    isSlow: true,
  },
  {
    name: 'what a worker counts at its end is not told',
    file: 'proxy/workers/worker.ts',
    from: "    post({ kind: 'report', report: reporter.next() });\n    post({ kind: 'closed' });",
    to: "    post({ kind: 'closed' });",
    only: 'proxy-workers',
    isSlow: true,
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
